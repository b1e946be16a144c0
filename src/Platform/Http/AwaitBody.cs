using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>
/// Lets a request on once its body is there whole. A body that has not come is no work under way: it takes no place
/// from those that can be answered, and an address may have only so many outstanding.
/// </summary>
internal sealed class AwaitBody(RequestDelegate next, IOptions<HttpOptions> options, TimeProvider clock)
{
    private readonly TimeSpan _timeout = options.Value.RequestBodyTimeout;
    private readonly OpenByAddress _outstanding =
        new(options.Value.RequestBodyCountMax, options.Value.RequestBodyCountMax / 10);

    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<ListenerFeature>() is not { Listener: Listener.Public }
            || context.Features.Get<IHttpRequestBodyDetectionFeature>() is not { CanHaveBody: true })
        {
            return next(context);
        }

        // A small one comes with its head.
        var body = context.Request.BodyReader;
        if (!body.TryRead(out var read)) return AwaitAsync(context, body);
        var whole = IsWhole(body, read);
        return whole ? next(context) : AwaitAsync(context, body);
    }

    private async Task AwaitAsync(HttpContext context, PipeReader body)
    {
        if (!_outstanding.TryOpen(context.Connection.RemoteIpAddress, out var caller))
        {
            context.Response.Headers.Connection = "close";
            await Problem.Overloaded.WriteAsync(context, "Too many requests wait for their bodies; try again.");
            return;
        }

        using var late = new CancellationTokenSource(_timeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, context.RequestAborted);
        try
        {
            while (!IsWhole(body, await body.ReadAsync(either.Token))) { }
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            // What comes of it now is not read: the connection cannot serve another request.
            context.Response.Headers.Connection = "close";
            await Problem.OfStatus(StatusCodes.Status408RequestTimeout).WriteAsync(
                context, "The request's body did not come in time.");
            return;
        }
        finally
        {
            _outstanding.Close(caller);
        }

        await next(context);
    }

    /// <summary>Leaves what has come where it is, for whoever reads the body; asks for more if there is more.</summary>
    private static bool IsWhole(PipeReader body, ReadResult read)
    {
        var whole = read.IsCompleted;
        body.AdvanceTo(read.Buffer.Start, whole ? read.Buffer.Start : read.Buffer.End);
        return whole;
    }
}
