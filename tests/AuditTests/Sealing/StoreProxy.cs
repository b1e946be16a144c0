using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Testing;

namespace AuditTests;

/// <summary>Stands at the wire between processes and the S3 server: holds, delays and fails requests.</summary>
internal sealed class StoreProxy : IAsyncDisposable
{
    private static readonly HashSet<string> OfTheConnection = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Transfer-Encoding", "Keep-Alive",
    };

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false });
    private readonly ConcurrentDictionary<Held, bool> _held = [];
    private readonly WebApplication _app;
    private readonly string _store;

    private StoreProxy(WebApplication app, ObjectStore store)
    {
        (_app, _store) = (app, store.ServiceUrl.GetLeftPart(UriPartial.Authority));
        app.Run(PassAsync);
    }

    /// <summary>Does to each request what it likes before it is passed on; false: it has answered it.</summary>
    public Func<HttpContext, Task<bool>> Before { get; set; } = _ => Task.FromResult(true);

    public string Address => _app.Urls.Single();

    public static async Task<StoreProxy> StartAsync(ObjectStore store)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null);
        var proxy = new StoreProxy(builder.Build(), store);
        await proxy._app.StartAsync();
        return proxy;
    }

    /// <summary>Lets the next such request wait, until <see cref="Held.LetGo"/>.</summary>
    /// <param name="request">Such as <c>PUT segment</c>, <c>LIST</c>.</param>
    /// <param name="log">The log's folder.</param>
    /// <param name="isDone">Whether the store has done it, and the answer waits.</param>
    public Held Hold(string request, string log, bool isDone)
    {
        var held = new Held(request, log, isDone);
        _held[held] = true;
        return held;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var held in _held.Keys) held.LetGo();
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task PassAsync(HttpContext context)
    {
        if (!await Before(context)) return;
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var (request, log) = Read(context.Request.Method, target);
        var held = _held.Keys.FirstOrDefault(one => one.Request == request && log.Contains($"{one.Log}/"));
        if (held is not null && _held.TryRemove(held, out _))
        {
            if (!held.IsDone) await held.WaitAsync();
        }
        else
        {
            held = null;
        }

        // Whoever asked may be gone: what is on its way arrives all the same.
        using var asked = await AskAsync(context, target);
        var body = await asked.Content.ReadAsByteArrayAsync(CancellationToken.None);
        if (held is { IsDone: true }) await held.WaitAsync();
        if (context.RequestAborted.IsCancellationRequested) return;
        context.Response.StatusCode = (int)asked.StatusCode;
        foreach (var (name, values) in asked.Headers.Concat(asked.Content.Headers))
        {
            if (!OfTheConnection.Contains(name)) context.Response.Headers[name] = values.ToArray();
        }

        await context.Response.Body.WriteAsync(body, CancellationToken.None);
    }

    private async Task<HttpResponseMessage> AskAsync(HttpContext context, string target)
    {
        // As it was signed: nothing of it is written in other words.
        var to = new Uri(
            _store + target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(new(context.Request.Method), to);
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, CancellationToken.None);
        if (body.Length > 0) request.Content = new ByteArrayContent(body.ToArray());
        foreach (var (name, values) in context.Request.Headers)
        {
            if (OfTheConnection.Contains(name)) continue;
            if (!request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                request.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }

        return await _http.SendAsync(request, CancellationToken.None);
    }

    private static (string Request, string Log) Read(string method, string target)
    {
        var path = WebUtility.UrlDecode(target);
        return (method, path) switch
        {
            ("PUT", _) when path.EndsWith(".zst", StringComparison.Ordinal) => ("PUT segment", path),
            ("PUT", _) when path.EndsWith("checkpoint.json", StringComparison.Ordinal) => ("PUT checkpoint", path),
            ("GET", _) when path.Contains("?versions", StringComparison.Ordinal)
                || path.Contains("&versions", StringComparison.Ordinal) => ("LIST", path),
            _ => (method, path),
        };
    }
}

/// <summary>A request that waits.</summary>
internal sealed class Held(string request, string log, bool isDone)
{
    private readonly TaskCompletionSource _came = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Request => request;

    public string Log => log;

    public bool IsDone => isDone;

    public Task CameAsync() => _came.Task.WaitAsync(SealingSite.Patience, TestContext.Current.CancellationToken);

    public void LetGo() => _goOn.TrySetResult();

    internal Task WaitAsync()
    {
        _came.TrySetResult();
        return _goOn.Task;
    }
}
