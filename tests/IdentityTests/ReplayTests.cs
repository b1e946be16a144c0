using Identity;
using Microsoft.Extensions.DependencyInjection;
using Platform;
using Testing;

namespace IdentityTests;

/// <summary>A provider's ID token that somebody else has seen.</summary>
public sealed class ReplayTests(Postgres postgres)
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    [Fact]
    public async Task An_ID_token_signs_in_once()
    {
        await using var site = await Site.StartAsync(postgres);
        var idToken = site.Provider.IdToken("alice");
        using var first = await SignInAsync(site, idToken);
        Assert.Equal(200, (int)first.StatusCode);

        // The last letter of a signature has four bits that no decoder needs.
        var last = Alphabet.IndexOf(idToken[^1], StringComparison.Ordinal);
        foreach (var copy in new[] { idToken, $"{idToken[..^1]}{Alphabet[last ^ 1]}" })
        {
            foreach (var device in new[] { null, "phone-1" })
            {
                using var replay = await SignInAsync(site, copy, device);
                await Site.AssertProblemAsync(replay, 401, "unauthenticated");
                Assert.Equal("Bearer error=\"invalid_token\"", replay.Headers.WwwAuthenticate.ToString());
            }
        }

        Assert.Equal(1, await site.CountAsync("sessions"));
        await site.SignInAsync("alice");
        Assert.Equal(2, await site.CountAsync("sessions"));
    }

    [Fact]
    public async Task A_device_that_the_answer_did_not_reach_gets_the_same_session()
    {
        await using var site = await Site.StartAsync(postgres);
        var idToken = site.Provider.IdToken("alice");
        using var lost = await SignInAsync(site, idToken, "phone-1");
        site.Clock.Advance(TimeSpan.FromSeconds(59));

        using var again = await SignInAsync(site, idToken, "phone-1");

        Assert.Equal((await Site.TokensAsync(lost)).RefreshToken, (await Site.TokensAsync(again)).RefreshToken);
        Assert.Equal(1, await site.CountAsync("sessions"));
        foreach (var device in new[] { null, "phone-2" })
        {
            using var thief = await SignInAsync(site, idToken, device);
            await Site.AssertProblemAsync(thief, 401, "unauthenticated");
        }
    }

    [Theory]
    [InlineData("late")]
    [InlineData("refreshed")]
    [InlineData("logged out")]
    public async Task No_device_gets_a_session_again_that_has_moved_on(string why)
    {
        await using var site = await Site.StartAsync(postgres);
        var idToken = site.Provider.IdToken("alice");
        using var first = await SignInAsync(site, idToken, "phone-1");
        var tokens = await Site.TokensAsync(first);
        if (why == "late") site.Clock.Advance(TimeSpan.FromSeconds(61));
        if (why == "refreshed") (await site.RefreshAsync(tokens.RefreshToken, "phone-1")).Dispose();
        if (why == "logged out")
            (await site.SendAsync(HttpMethod.Post, "/v1/auth/logout", tokens.AccessToken)).Dispose();

        using var again = await SignInAsync(site, idToken, "phone-1");

        await Site.AssertProblemAsync(again, 401, "unauthenticated");
    }

    [Fact]
    public async Task One_of_those_that_race_with_the_same_ID_token_wins()
    {
        await using var site = await Site.StartAsync(postgres);
        await using var other = await site.StartAnotherAsync();
        var (copied, own) = (site.Provider.IdToken("alice"), site.Provider.IdToken("bob"));

        var thieves = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(i => SignInAsync(i % 2 == 0 ? site : other, copied)));
        var retries = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(i => SignInAsync(i % 2 == 0 ? site : other, own, "phone-1")));

        Assert.Equal(1, thieves.Count(answer => (int)answer.StatusCode == 200));
        Assert.Equal(15, thieves.Count(answer => (int)answer.StatusCode == 401));
        var tokens = await Task.WhenAll(retries.Select(Site.TokensAsync));
        Assert.Single(tokens.DistinctBy(one => one.RefreshToken));
        Assert.Equal(2, await site.CountAsync("sessions"));
    }

    [Fact]
    public async Task A_replay_at_a_process_with_an_old_shard_map_is_not_answered()
    {
        await using var site = await Site.StartAsync(postgres);
        var idToken = site.Provider.IdToken("alice");
        using var first = await SignInAsync(site, idToken, "phone-1");
        await site.MoveShardsAsync(epoch: 2);

        using var again = await SignInAsync(site, idToken, "phone-1");

        await Site.AssertProblemAsync(again, 503, "outcome-unknown");
    }

    [Fact]
    public async Task Tokens_are_remembered_until_they_have_expired_and_forgotten_a_thousand_at_a_time()
    {
        await using var site = await Site.StartAsync(postgres);
        for (var i = 0; i < 4; i++) await site.SignInAsync($"subject-{i}");
        var (digests, shards) = (await site.CountAsync("spent_id_tokens"), Shards(site));
        Assert.Equal(4, digests);

        site.Clock.Advance(TimeSpan.FromMinutes(61 + 9));
        foreach (var shard in shards)
            Assert.Equal(0, await ForgetSpentTokens.ForgetAsync(shard, site.Clock.GetUtcNow(), Site.Cancel));
        site.Clock.Advance(TimeSpan.FromMinutes(2));
        await using (var more = site.Database.Source.CreateCommand($"""
            INSERT INTO identity_00.spent_id_tokens (digest, session_id, spent_at, expires_at)
            SELECT sha256(n::text::bytea), decode(repeat('00', 16), 'hex'), now(), '2020-01-01'
            FROM generate_series(1, 1100) AS n
            """))
        {
            await more.ExecuteNonQueryAsync(Site.Cancel);
        }

        var forgotten = new List<int>();
        while (forgotten.LastOrDefault(1) > 0)
            forgotten.Add(await ForgetSpentTokens.ForgetAsync(shards[0], site.Clock.GetUtcNow(), Site.Cancel));

        Assert.Equal(ForgetSpentTokens.BatchCountMax, forgotten[0]);
        Assert.InRange(forgotten[1], 100, 104);
        foreach (var shard in shards)
            await ForgetSpentTokens.ForgetAsync(shard, site.Clock.GetUtcNow(), Site.Cancel);
        Assert.Equal(0, await site.CountAsync("spent_id_tokens"));
    }

    private static ModuleShard[] Shards(Site site) =>
        [.. site.Services.GetRequiredService<IdentityDatabase>().Shards];

    private static Task<HttpResponseMessage> SignInAsync(Site site, string idToken, string? deviceId = null) =>
        site.PostAsync("/v1/auth/google/token", new { idToken, nonce = ProviderServer.Nonce, deviceId });
}
