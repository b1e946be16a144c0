using System.Text.Json;

namespace Demo;

/// <summary>A voter who is signed in. Used by one thread at a time, or by several while the token is fresh.</summary>
internal sealed class Voter(int number, string accessToken, string refreshToken, long signedInAt)
{
    // Access tokens live for 15 minutes.
    private static readonly TimeSpan TokenAgeMax = TimeSpan.FromMinutes(10);

    private string _refreshToken = refreshToken;
    private long _tokenFrom = signedInAt;

    /// <summary>0 and up.</summary>
    public int Number => number;

    /// <summary>For <c>Authorization: Bearer</c>.</summary>
    public string Token { get; private set; } = accessToken;

    /// <summary>Makes sure that the token lives for some minutes more.</summary>
    /// <exception cref="BrokenOffException">The platform does not renew it.</exception>
    public async Task RefreshAsync(Client client, Target target, TimeProvider clock, CancellationToken cancel)
    {
        if (clock.GetElapsedTime(_tokenFrom) < TokenAgeMax) return;
        var now = clock.GetTimestamp();
        var answer = await client.SendAsync(
            () => Requests.Json(HttpMethod.Post, target.PublicOf(number), "/v1/auth/refresh", null,
                JsonSerializer.SerializeToUtf8Bytes(new { refreshToken = _refreshToken })), cancel);
        if (answer is not { Status: 200 } || answer.Text("accessToken") is not { } access
            || answer.Text("refreshToken") is not { } refresh)
        {
            throw new BrokenOffException($"A voter's sign-in is not renewed: {answer}");
        }

        (Token, _refreshToken, _tokenFrom) = (access, refresh, now);
    }
}

/// <summary>Signs voters in through the sandbox, which plays the outside provider.</summary>
internal sealed class SignVotersIn(Client client, Target target, TimeProvider clock)
{
    private const int RequestCountMax = 500;

    /// <param name="count">At least 1.</param>
    /// <param name="file">Says who may vote.</param>
    /// <param name="progress">Called with how many there are so far.</param>
    /// <param name="cancel">Ends the sign-ins.</param>
    /// <exception cref="BrokenOffException">A sign-in failed.</exception>
    public async Task<IReadOnlyList<Voter>> RunAsync(
        int count, SurveyFile file, Action<int> progress, CancellationToken cancel)
    {
        var voters = new List<Voter>(count);
        while (voters.Count < count)
        {
            var next = Math.Min(count - voters.Count, RequestCountMax);
            var before = voters.Count;
            await SignInAsync(next, file, voters, progress, cancel);
            if (voters.Count != before + next) throw new BrokenOffException("The sandbox's answer broke off.");
        }

        return voters;
    }

    private async Task SignInAsync(
        int count, SurveyFile file, List<Voter> voters, Action<int> progress, CancellationToken cancel)
    {
        var port = target.PublicOf(voters.Count / RequestCountMax);
        var path = $"/sandbox/voters?count={count}&verified=true&host={port}";
        if (file.Countries is [var country, ..]) path += $"&country={Uri.EscapeDataString(country)}";
        if (file.MinimumAge is { } age) path += $"&age={age}";
        try
        {
            using var request = Requests.Make(HttpMethod.Post, target.Sandbox, path, null);
            using var answer = await client.OpenAsync(request, cancel);
            using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(cancel));
            while (await lines.ReadLineAsync(cancel) is { } line)
            {
                if (Read(line) is not { } voter) throw new BrokenOffException($"Voters cannot sign in: {line}");
                voters.Add(new(voters.Count, voter.AccessToken, voter.RefreshToken, clock.GetTimestamp()));
                progress(voters.Count);
            }
        }
        catch (Exception e) when (Client.IsNoAnswer(e, cancel))
        {
            throw new BrokenOffException($"The sandbox at {target.Sandbox} does not answer: {e.Message}");
        }
    }

    private static SignedIn? Read(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<SignedIn>(line, Survey.Wire);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private sealed record SignedIn(string AccessToken, string RefreshToken, string VoterId);
}
