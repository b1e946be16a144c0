using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Results;

/// <summary>Sends one survey's result to one connection after the other, each at its own pace.</summary>
internal sealed class StreamResults(
    Boards boards, IOptions<ResultsOptions> options, TimeProvider clock, ResultsMetrics metrics,
    IHostApplicationLifetime lifetime)
{
    private static readonly byte[] Heartbeat = ":\n\n"u8.ToArray();

    private readonly byte[] _retry = Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture, $"retry: {(long)options.Value.ReconnectDelay.TotalMilliseconds}\n\n"));

    private int _open;
    private int _opened;

    /// <summary>Streams until the result is final, the reader has gone, or the process stops.</summary>
    /// <param name="surveyId">Which survey.</param>
    /// <param name="known">The version that the reader has already, from an earlier connection; -1 for none.</param>
    /// <param name="context">Nothing of its response has been sent yet.</param>
    /// <remarks>One call a connection, for hours: its loop allocates nothing, and no call is around another.</remarks>
    public async Task HandleAsync(int surveyId, long known, HttpContext context)
    {
        var (gone, stopping) = (Gone(context), lifetime.ApplicationStopping);
        if (stopping.IsCancellationRequested || !TryOpen(known))
        {
            await StreamProblems.OverloadedAsync(context);
            return;
        }

        var viewer = new Viewer(context, NextAgeMax(), options.Value, clock, metrics);
        Board? joined = null;
        try
        {
            var (board, later) = await boards.FindAsync(surveyId, gone);
            while (board is not null && !board.TryJoin(viewer)) (board, later) = await boards.FindAsync(surveyId, gone);
            joined = board;
            if (joined is null)
            {
                await (later ? StreamProblems.OverloadedAsync(context) : StreamProblems.NoSuchSurveyAsync(context));
                return;
            }

            Prepare(context, options.Value.SendBufferSizeBytes);
            using var wakeWhenGone = gone.UnsafeRegister(static viewer => ((Viewer)viewer!).Wake(), viewer);
            await context.Response.StartAsync(CancellationToken.None);
            var body = context.Response.BodyWriter;
            body.Write(_retry);
            var sent = new Sent(known, null);
            while (!gone.IsCancellationRequested && !stopping.IsCancellationRequested)
            {
                // Whatever came while the reader was slow is skipped: there is only the newest.
                var next = Write(joined.Frame!, sent, body);
                if (next == sent && viewer.IsDueForRotation)
                {
                    metrics.Rotated.Add(1);
                    return;
                }

                if (next == sent && !viewer.IsDueForHeartbeat)
                {
                    await viewer.WaitAsync();
                    continue;
                }

                if (next == sent) body.Write(Heartbeat);
                sent = next;
                viewer.BeginWrite();
                await body.FlushAsync(CancellationToken.None);
                viewer.EndWrite();
                if (sent.Status is ResultStatus.Final) return;
            }
        }
        finally
        {
            joined?.Leave(viewer);
            metrics.Connections.Add(-1);
            metrics.Durations.Record(viewer.Age.TotalSeconds);
            Interlocked.Decrement(ref _open);
        }
    }

    private bool TryOpen(long known)
    {
        if (Interlocked.Increment(ref _open) > options.Value.ConnectionCountMax)
        {
            Interlocked.Decrement(ref _open);
            metrics.Refused.Add(1);
            return false;
        }

        metrics.Connections.Add(1);
        if (known >= 0) metrics.Reconnects.Add(1);
        return true;
    }

    // A request that has its connection to itself ends with it, and needs no token of its own beside that.
    private static CancellationToken Gone(HttpContext context) =>
        HttpProtocol.IsHttp11(context.Request.Protocol)
        && context.Features.Get<IConnectionLifetimeFeature>() is { } connection
            ? connection.ConnectionClosed
            : context.RequestAborted;

    /// <summary>Multiples of the golden ratio lie evenly between 0 and 1, however many there are.</summary>
    private TimeSpan NextAgeMax() => options.Value.ConnectionAgeMax
        * (0.8 + (0.2 * ((uint)Interlocked.Increment(ref _opened) * 0.6180339887498949 % 1)));

    /// <returns>What the reader has once all that was written has come to it.</returns>
    private Sent Write(Frame frame, Sent sent, PipeWriter body)
    {
        var final = frame.Status is ResultStatus.Final;
        var status = frame.Status != sent.Status;
        // The final tally is always said, for it is the one to keep.
        var tally = !frame.Hidden && (final || frame.Version != sent.Version);

        // At the beginning the status comes first; the end is told last, for a reader may leave when it hears of it.
        var statusLast = final && sent.Status is not null;
        if (status && !statusLast) body.Write(frame.StatusEvent.Span);
        if (tally) body.Write(frame.TallyEvent.Span);
        if (statusLast) body.Write(frame.StatusEvent.Span);
        if (status || tally) metrics.FramesWritten.Add(1);
        return new(tally ? frame.Version : sent.Version, frame.Status);
    }

    private static void Prepare(HttpContext context, int sendBufferSizeBytes)
    {
        var (headers, features) = (context.Response.Headers, context.Features);
        headers.ContentType = "text/event-stream";
        headers.CacheControl = "no-store";
        headers["X-Accel-Buffering"] = "no";
        features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        if (!HttpProtocol.IsHttp11(context.Request.Protocol)) return;

        // What the kernel has taken can no longer be skipped, so it may take little; and as the connection is not fit
        // for anything else afterwards, it ends with the stream.
        headers.Connection = "close";
        if (features.Get<IConnectionSocketFeature>()?.Socket is { } socket) socket.SendBufferSize = sendBufferSizeBytes;
        // The limit for slow readers is our own: the server's rate is for answers that end.
        if (features.Get<IHttpMinResponseDataRateFeature>() is { } rate) rate.MinDataRate = null;
    }

    private readonly record struct Sent(long Version, ResultStatus? Status);
}
