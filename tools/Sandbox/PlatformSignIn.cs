using System.Net;
using System.Net.Http.Headers;

namespace Sandbox;

/// <summary>The platform's sign-in, as the voter app uses it.</summary>
internal sealed class PlatformSignIn(TimeProvider clock) : IDisposable
{
    /// <summary>How many sign-ins are under way at once: enough to keep a workstation busy, and no more.</summary>
    public const int ConcurrencyMax = 32;

    private static readonly TimeSpan RetryAfterDefault = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PatienceMax = TimeSpan.FromMinutes(2);

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false })
    {
        Timeout = TimeSpan.FromSeconds(30),
    };

    /// <summary>Signs one voter in. Told to slow down, it waits as long as it is told, two minutes in all.</summary>
    /// <exception cref="SignInFailedException">The platform refused, failed, or did not answer.</exception>
    public async Task<Voter> SignInAsync(Uri platform, string idToken, string nonce, CancellationToken cancel)
    {
        var request = new SignInRequest(idToken, nonce);
        var start = clock.GetTimestamp();
        try
        {
            while (true)
            {
                using var answer = await _http.PostAsJsonAsync(
                    new Uri(platform, "/v1/auth/google/token"), request, Json.Default.SignInRequest, cancel);
                if (answer.IsSuccessStatusCode)
                {
                    return await answer.Content.ReadFromJsonAsync(Json.Default.Voter, cancel)
                        ?? throw new SignInFailedException((int)answer.StatusCode, "The platform answered null.");
                }

                var pause = Pause(answer.Headers.RetryAfter);
                if (answer.StatusCode is not HttpStatusCode.TooManyRequests
                    || clock.GetElapsedTime(start) + pause > PatienceMax)
                {
                    var body = await answer.Content.ReadAsStringAsync(cancel);
                    throw new SignInFailedException(
                        (int)answer.StatusCode, $"The platform refused a sign-in: {body.ReplaceLineEndings(" ")}");
                }

                await Task.Delay(pause, clock, cancel);
            }
        }
        catch (Exception e) when (e is HttpRequestException or System.Text.Json.JsonException
            || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw new SignInFailedException(null, $"{platform} does not answer a sign-in: {e.Message}");
        }
    }

    public void Dispose() => _http.Dispose();

    private TimeSpan Pause(RetryConditionHeaderValue? said)
    {
        var pause = said?.Delta ?? (said?.Date - clock.GetUtcNow()) ?? RetryAfterDefault;
        return pause > TimeSpan.Zero ? pause : RetryAfterDefault;
    }
}

/// <summary>No voter was signed in.</summary>
internal sealed class SignInFailedException(int? status, string message) : Exception(message)
{
    /// <summary>What the platform answered; null when it did not answer as it should.</summary>
    public int? Status => status;
}
