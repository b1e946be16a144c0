using System.Net.Sockets;

namespace Demo;

/// <summary>
/// Sends requests as a patient app does: what is turned away for now, or not answered, is sent again. Safe for use by
/// many threads.
/// </summary>
internal sealed class Client(Ledger ledger, TimeProvider clock) : IDisposable
{
    private const int ConnectionCountMax = 256;
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PauseDefault = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(10);
    // Long enough for a process that was killed to be started again.
    private static readonly TimeSpan PatienceMax = TimeSpan.FromSeconds(90);

    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        MaxConnectionsPerServer = ConnectionCountMax,
        Expect100ContinueTimeout = TimeSpan.FromSeconds(5),
    })
    {
        Timeout = AnswerTimeout,
    };

    /// <summary>Asks until there is an answer that is not a request for patience, or patience is over.</summary>
    /// <param name="make">Makes the request, anew for each attempt.</param>
    /// <param name="cancel">Ends the asking.</param>
    /// <exception cref="BrokenOffException">Nobody answered for as long as a client waits.</exception>
    public async Task<Answer> SendAsync(Func<HttpRequestMessage> make, CancellationToken cancel)
    {
        var begun = clock.GetTimestamp();
        var uncertain = false;
        while (true)
        {
            var isLast = clock.GetElapsedTime(begun) > PatienceMax;
            var pause = PauseDefault;
            try
            {
                var answer = await AskOnceAsync(make, cancel);
                if (answer.Status is not (429 or 503) || isLast) return answer with { Uncertain = uncertain };
                ledger.SentAgain($"{answer.Status} {answer.Problem}");
                uncertain |= answer.Problem is not ("overloaded" or "quota-exceeded");
                pause = answer.RetryAfter is { } said ? Clamp(said) : PauseDefault;
            }
            catch (Exception e) when (IsNoAnswer(e, cancel))
            {
                if (isLast) throw new BrokenOffException($"The platform answers no more: {e.Message}");
                ledger.SentAgain("no answer");
                uncertain = true;
            }

            await Task.Delay(pause, clock, cancel);
        }
    }

    /// <summary>Asks once and takes what comes.</summary>
    public async Task<Answer> AskOnceAsync(Func<HttpRequestMessage> make, CancellationToken cancel)
    {
        using var request = make();
        var sent = clock.GetTimestamp();
        using var response = await _http.SendAsync(request, cancel);
        var body = await response.Content.ReadAsByteArrayAsync(cancel);
        return Answer.Of(response, body, clock.GetElapsedTime(sent), clock.GetUtcNow());
    }

    /// <summary>Opens an answer that is read while it comes. The caller disposes it.</summary>
    public Task<HttpResponseMessage> OpenAsync(HttpRequestMessage request, CancellationToken cancel) =>
        _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);

    /// <returns>Whether the failure means that nothing is known of what became of the request.</returns>
    public static bool IsNoAnswer(Exception failure, CancellationToken cancel) => !cancel.IsCancellationRequested
        && failure is HttpRequestException or IOException or SocketException or OperationCanceledException;

    public void Dispose() => _http.Dispose();

    private static TimeSpan Clamp(TimeSpan pause) =>
        pause < TimeSpan.Zero ? TimeSpan.Zero : pause > PauseMax ? PauseMax : pause;
}
