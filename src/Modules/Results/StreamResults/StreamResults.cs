using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Platform;

namespace Results;

/// <summary>Sends one survey's result to one connection after the other, each at its own pace.</summary>
internal sealed class StreamResults(
    Boards boards, IOptions<ResultsOptions> options, TimeProvider clock, ResultsMetrics metrics,
    IHostApplicationLifetime lifetime)
{
    private static readonly byte[] Heartbeat = ":\n\n"u8.ToArray();

    private readonly byte[] _retry = Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture, $"retry: {(long)options.Value.ReconnectDelay.TotalMilliseconds}\n\n"));

    private readonly OpenByAddress _open =
        new(options.Value.ConnectionCountMax, options.Value.ConnectionCountPerAddressMax);

    private int _opened;

    /// <summary>Streams until the result is final, the reader has gone, or the process stops.</summary>
    /// <param name="surveyId">Which survey.</param>
    /// <param name="known">The version that the reader has already, from an earlier connection; -1 for none.</param>
    /// <param name="context">
    /// Nothing of its response has been sent yet. It ends when the response has begun: the stream keeps the connection.
    /// </param>
    public async Task HandleAsync(int surveyId, long known, HttpContext context)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested
            || !TryOpen(context.Connection.RemoteIpAddress, known, out var caller))
        {
            await StreamProblems.OverloadedAsync(context);
            return;
        }

        var connection = context.Features.GetRequiredFeature<IConnectionLifetimeFeature>();
        var viewer = new Viewer(connection, caller, NextAgeMax(), options.Value, clock, metrics);
        var kept = false;
        try
        {
            var gone = connection.ConnectionClosed;
            var (board, later) = await boards.FindAsync(surveyId, gone);
            while (board is not null && !board.TryJoin(viewer)) (board, later) = await boards.FindAsync(surveyId, gone);
            if (board is null)
            {
                await (later ? StreamProblems.OverloadedAsync(context) : StreamProblems.NoSuchSurveyAsync(context));
                return;
            }

            viewer.Board = board;
            var chunked = HttpProtocol.IsHttp11(context.Request.Protocol);
            Prepare(context, chunked, options.Value.SendBufferSizeBytes);
            await context.Response.StartAsync(CancellationToken.None);
            context.Features.GetRequiredFeature<KeptConnection>().Keep(Rest(viewer, known, chunked));
            kept = true;
        }
        finally
        {
            if (!kept) Close(viewer);
        }
    }

    // By itself, so that it holds what it needs and nothing of the request.
    private Func<ConnectionContext, Task> Rest(Viewer viewer, long known, bool chunked) => connection =>
        SendAsync(viewer, new(known, null), new(connection.Transport.Output, chunked), connection.ConnectionClosed);

    /// <remarks>One call a connection, for hours: its loop allocates nothing, and few calls are around it.</remarks>
    private async Task SendAsync(Viewer viewer, Sent sent, EventWriter events, CancellationToken gone)
    {
        try
        {
            using var wakeWhenGone = gone.UnsafeRegister(static viewer => ((Viewer)viewer!).Wake(), viewer);
            events.Write(_retry);
            while (!gone.IsCancellationRequested && !lifetime.ApplicationStopping.IsCancellationRequested)
            {
                // Whatever came while the reader was slow is skipped: there is only the newest.
                var next = Write(viewer.Board!.Frame!, sent, events);
                if (next == sent && viewer.IsDueForRotation)
                {
                    metrics.Rotated.Add(1);
                    break;
                }

                if (next == sent && !viewer.IsDueForHeartbeat)
                {
                    await viewer.WaitAsync();
                    continue;
                }

                if (next == sent) events.Write(Heartbeat);
                sent = next;
                viewer.BeginWrite();
                await events.FlushAsync();
                viewer.EndWrite();
                if (sent.Status is ResultStatus.Final) break;
            }

            events.End();
        }
        finally
        {
            Close(viewer);
        }
    }

    private void Close(Viewer viewer)
    {
        viewer.Board?.Leave(viewer);
        metrics.Connections.Add(-1);
        metrics.Durations.Record(viewer.Age.TotalSeconds);
        _open.Close(viewer.Caller);
    }

    private bool TryOpen(IPAddress? address, long known, out UInt128 caller)
    {
        if (!_open.TryOpen(address, out caller))
        {
            metrics.Refused.Add(1);
            return false;
        }

        metrics.Connections.Add(1);
        if (known >= 0) metrics.Reconnects.Add(1);
        return true;
    }

    /// <summary>Multiples of the golden ratio lie evenly between 0 and 1, however many there are.</summary>
    private TimeSpan NextAgeMax() => options.Value.ConnectionAgeMax
        * (0.8 + (0.2 * ((uint)Interlocked.Increment(ref _opened) * 0.6180339887498949 % 1)));

    /// <returns>What the reader has once all that was written has come to it.</returns>
    private Sent Write(Frame frame, Sent sent, EventWriter events)
    {
        var final = frame.Status is ResultStatus.Final;
        var status = frame.Status != sent.Status;
        // The final tally is always said, for it is the one to keep.
        var tally = !frame.Hidden && (final || frame.Version != sent.Version);

        // At the beginning the status comes first; the end is told last, for a reader may leave when it hears of it.
        var statusLast = final && sent.Status is not null;
        if (status && !statusLast) events.Write(frame.StatusEvent.Span);
        if (tally) events.Write(frame.TallyEvent.Span);
        if (statusLast) events.Write(frame.StatusEvent.Span);
        if (status || tally) metrics.FramesWritten.Add(1);
        return new(tally ? frame.Version : sent.Version, frame.Status);
    }

    private static void Prepare(HttpContext context, bool chunked, int sendBufferSizeBytes)
    {
        var headers = context.Response.Headers;
        headers.ContentType = "text/event-stream";
        headers.CacheControl = "no-store";
        headers["X-Accel-Buffering"] = "no";
        headers.Connection = "close";
        if (chunked) headers.TransferEncoding = "chunked";
        // What the kernel has taken can no longer be skipped, so it may take little; and as the connection is not fit
        // for anything else afterwards, it ends with the stream.
        if (context.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket)
            socket.SendBufferSize = sendBufferSizeBytes;
    }

    private readonly record struct Sent(long Version, ResultStatus? Status);
}
