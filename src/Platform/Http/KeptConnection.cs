using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Platform;

/// <summary>
/// The connection that a request came in by, which the request may keep: then the rest of its response is written to
/// the connection itself, and what the server holds for a request, most of a long stream's memory, is let go of.
/// A feature of connections that were made where <see cref="AllowOn"/> was called. For one thread at a time.
/// </summary>
public sealed class KeptConnection : IDuplexPipe, IConnectionHeartbeatFeature
{
    private readonly IDuplexPipe _transport;
    private readonly IConnectionHeartbeatFeature? _heart;
    private volatile Action? _beat;
    private Func<ConnectionContext, Task>? _rest;

    private KeptConnection(ConnectionContext connection)
    {
        _transport = connection.Transport;
        _heart = connection.Features.Get<IConnectionHeartbeatFeature>();
        Output = new OpenEnded(this, _transport.Output);
    }

    /// <inheritdoc/>
    PipeReader IDuplexPipe.Input => _transport.Input;

    /// <inheritdoc/>
    PipeWriter IDuplexPipe.Output => Output!;

    private OpenEnded? Output { get; set; }

    /// <summary>Lets requests to a listener keep their connections.</summary>
    public static void AllowOn(ListenOptions listener)
    {
        listener.Use(requests => connection => ServeAsync(connection, requests));
        // A connection of its own for each stream: so none holds up another, and it can be kept. HTTP/2 comes as far as
        // whoever ends TLS before us.
        listener.Protocols = HttpProtocols.Http1;
    }

    /// <summary>
    /// Keeps the connection once the request's handler has returned. The response must have been started by then, with
    /// <c>Connection: close</c> and, if it is chunked, its <c>Transfer-Encoding</c>; chunks are the caller's to write.
    /// </summary>
    /// <param name="rest">
    /// Writes the rest of the response to the connection's output; the connection is closed when it ends. It is called
    /// even when the connection has broken meanwhile. What it refers to lasts as long as the connection: it must not
    /// refer to the request. More input than the request ends the connection.
    /// </param>
    public void Keep(Func<ConnectionContext, Task> rest) => _rest = rest;

    /// <inheritdoc/>
    void IConnectionHeartbeatFeature.OnHeartbeat(Action<object> action, object state) => _beat += () => action(state);

    /// <summary>Serves a connection's requests, then the rest of the response for which it was kept.</summary>
    private static async Task ServeAsync(ConnectionContext connection, ConnectionDelegate requests)
    {
        var kept = new KeptConnection(connection);
        await kept.ServeRequestsAsync(connection, requests);
        if (kept._rest is not { } rest) return;
        // Nobody reads it any more: who sends on is cut off.
        await connection.Transport.Input.CompleteAsync();
        await rest(connection);
    }

    private async Task ServeRequestsAsync(ConnectionContext connection, ConnectionDelegate requests)
    {
        connection.Features.Set(this);
        // The server asks to be called every second, and is remembered for it until the connection ends: it would
        // never be let go of.
        connection.Features.Set<IConnectionHeartbeatFeature>(this);
        _heart?.OnHeartbeat(static kept => ((KeptConnection)kept)._beat?.Invoke(), this);
        connection.Transport = this;
        try
        {
            await requests(connection);
        }
        finally
        {
            connection.Transport = _transport;
            (_beat, Output) = (null, null);
        }
    }

    /// <summary>The connection's output, which ends with the requests unless the connection is kept.</summary>
    private sealed class OpenEnded(KeptConnection connection, PipeWriter output) : PipeWriter
    {
        public override bool CanGetUnflushedBytes => output.CanGetUnflushedBytes;

        public override long UnflushedBytes => output.UnflushedBytes;

        public override void Advance(int bytes) => output.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => output.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => output.GetSpan(sizeHint);

        public override void CancelPendingFlush() => output.CancelPendingFlush();

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
            output.FlushAsync(cancellationToken);

        public override ValueTask<FlushResult> WriteAsync(
            ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) =>
            output.WriteAsync(source, cancellationToken);

        public override void Complete(Exception? exception = null)
        {
            if (connection._rest is null) output.Complete(exception);
        }

        public override ValueTask CompleteAsync(Exception? exception = null) =>
            connection._rest is null ? output.CompleteAsync(exception) : ValueTask.CompletedTask;
    }
}
