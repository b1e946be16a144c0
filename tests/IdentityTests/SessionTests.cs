using System.Buffers.Text;
using System.Net.Http.Json;
using System.Text.Json;
using Identity;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Platform;
using Testing;

namespace IdentityTests;

public sealed class SessionTests(Postgres postgres, SharedSite shared) : IClassFixture<SharedSite>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_voter_sees_the_own_live_sessions_newest_first()
    {
        await using var site = await Site.StartAsync(postgres);
        var phone = await site.SignInAsync("alice-1", deviceId: "phone");
        site.Clock.Advance(TimeSpan.FromSeconds(1));
        var tablet = await site.SignInAsync("alice-1");
        await site.SignInAsync("bob-1");

        var page = await ListAsync(site, tablet, "");

        Assert.Equal([SessionId(tablet), SessionId(phone)], page.Items.Select(session => session.Id));
        Assert.Equal([null, "phone"], page.Items.Select(session => session.Device));
        Assert.Equal([true, false], page.Items.Select(session => session.Current));
        Assert.EndsWith("Z", page.Items[0].CreatedAt, StringComparison.Ordinal);
        Assert.Null(page.Next);
    }

    [Fact]
    public async Task A_long_list_comes_in_pages_without_gap_or_repeat()
    {
        await using var site = await Site.StartAsync(postgres);
        var tokens = new List<TokenResponse>();
        for (var i = 0; i < 5; i++)
        {
            // Two of the same instant, so that the cursor must tell them apart.
            if (i != 2) site.Clock.Advance(TimeSpan.FromSeconds(1));
            tokens.Add(await site.SignInAsync("alice-2"));
        }


        var (found, cursor) = (new List<string>(), "");
        do
        {
            var page = await ListAsync(site, tokens[0], $"?limit=2{cursor}");
            found.AddRange(page.Items.Select(session => session.Id));
            cursor = page.Next is null ? "" : $"&cursor={page.Next}";
        }
        while (cursor.Length > 0);

        Assert.Equal(tokens.Select(SessionId).Order(), found.Order());
        Assert.Equal(SessionId(tokens[^1]), found[0]);
        Assert.Equal(SessionId(tokens[0]), found[^1]);
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=101")]
    [InlineData("limit=x")]
    [InlineData("limit=")]
    [InlineData("limit=1&limit=2")]
    [InlineData("cursor=x")]
    [InlineData("cursor=")]
    [InlineData("cursor=________________________________")]
    public async Task A_bad_cursor_or_limit_is_malformed(string query)
    {
        var site = shared.Site;
        var tokens = await site.SignInAsync("alice-3");
        using var answer = await site.SendAsync(HttpMethod.Get, $"/v1/auth/sessions?{query}", tokens.AccessToken);
        await Site.AssertProblemAsync(answer, 400, "malformed-request");
    }

    [Fact]
    public async Task Logging_out_ends_this_session_and_no_other()
    {
        var site = shared.Site;
        var (phone, tablet) = (await site.SignInAsync("alice-4"), await site.SignInAsync("alice-4"));

        using var answer = await site.SendAsync(HttpMethod.Post, "/v1/auth/logout", phone.AccessToken);

        Assert.Equal(204, (int)answer.StatusCode);
        using var refresh = await site.RefreshAsync(phone.RefreshToken);
        await Site.AssertProblemAsync(refresh, 401, "unauthenticated");
        Assert.False(await site.OpensAsync(phone.AccessToken));
        Assert.True(await site.OpensAsync(tablet.AccessToken));
    }

    [Fact]
    public async Task Logging_out_everywhere_ends_every_session_and_a_new_one_opens_at_once()
    {
        var site = shared.Site;
        var (phone, tablet) = (await site.SignInAsync("alice-5"), await site.SignInAsync("alice-5"));
        var stranger = await site.SignInAsync("bob-5");

        using var answer = await site.SendAsync(HttpMethod.Post, "/v1/auth/logout?all=true", phone.AccessToken);

        Assert.Equal(204, (int)answer.StatusCode);
        Assert.False(await site.OpensAsync(phone.AccessToken));
        Assert.False(await site.OpensAsync(tablet.AccessToken));
        Assert.True(await site.OpensAsync(stranger.AccessToken));
        Assert.True(await site.OpensAsync((await site.SignInAsync("alice-5")).AccessToken));
    }

    [Fact]
    public async Task All_is_true_or_false()
    {
        var site = shared.Site;
        var tokens = await site.SignInAsync("alice-6");
        using var answer = await site.SendAsync(HttpMethod.Post, "/v1/auth/logout?all=perhaps", tokens.AccessToken);
        await Site.AssertProblemAsync(answer, 400, "malformed-request");
        Assert.True(await site.OpensAsync(tokens.AccessToken));
    }

    [Fact]
    public async Task A_session_is_ended_by_its_id_and_a_repeat_is_harmless()
    {
        var site = shared.Site;
        var (phone, tablet) = (await site.SignInAsync("alice-7"), await site.SignInAsync("alice-7"));
        for (var i = 0; i < 2; i++)
        {
            using var answer = await site.SendAsync(
                HttpMethod.Delete, $"/v1/auth/sessions/{SessionId(phone)}", tablet.AccessToken);
            Assert.Equal(204, (int)answer.StatusCode);
        }

        Assert.False(await site.OpensAsync(phone.AccessToken));
        Assert.Equal([SessionId(tablet)], (await ListAsync(site, tablet, "")).Items.Select(session => session.Id));
    }

    [Fact]
    public async Task A_session_ended_many_times_is_said_to_be_ended_once()
    {
        await using var site = await Site.StartAsync(postgres);
        var (phone, tablet) = (await site.SignInAsync("alice-11"), await site.SignInAsync("alice-11"));
        for (var i = 0; i < 3; i++)
        {
            using var answer = await site.SendAsync(
                HttpMethod.Delete, $"/v1/auth/sessions/{SessionId(phone)}", tablet.AccessToken);
        }

        var said = await site.Services.GetRequiredService<IEventLog>().RangeAsync(new("revocations", 0), Cancel);
        Assert.Equal(1, said.End - said.Start);
    }

    [Theory]
    [InlineData("refresh")]
    [InlineData("end")]
    public async Task An_end_that_was_stored_but_not_said_is_made_good_by_the_next_call(string call)
    {
        await using var site = await Site.StartAsync(postgres);
        var (phone, tablet) = (await site.SignInAsync("alice-12"), await site.SignInAsync("alice-12"));
        var sessionId = Base64Url.DecodeFromChars(SessionId(phone));
        var shard = site.Services.GetRequiredService<ShardMap>().OfBucket(Buckets.Of(sessionId)).Number;
        await using (var end = site.Database.Source.CreateCommand(
            $"UPDATE {ModuleDatabase.SchemaOf("identity", shard)}.sessions SET ended_at = $1 WHERE session_id = $2"))
        {
            end.Parameters.Add(new() { Value = site.Clock.GetUtcNow() });
            end.Parameters.Add(new() { Value = sessionId });
            Assert.Equal(1, await end.ExecuteNonQueryAsync(Cancel));
        }

        Assert.True(await site.OpensAsync(phone.AccessToken));
        using var answer = call == "refresh"
            ? await site.RefreshAsync(phone.RefreshToken)
            : await site.SendAsync(HttpMethod.Delete, $"/v1/auth/sessions/{SessionId(phone)}", tablet.AccessToken);

        Assert.False(await site.OpensAsync(phone.AccessToken));
        Assert.True(await site.OpensAsync(tablet.AccessToken));
    }

    [Fact]
    public async Task Another_voters_session_is_not_there()
    {
        var site = shared.Site;
        var (alice, mallory) = (await site.SignInAsync("alice-8"), await site.SignInAsync("mallory-8"));
        foreach (var id in new[] { SessionId(alice), "AAAAAAAAAAAAAAAAAAAAAA", "abc", "1", new string('9', 40) })
        {
            using var answer = await site.SendAsync(HttpMethod.Delete, $"/v1/auth/sessions/{id}", mallory.AccessToken);
            await Site.AssertProblemAsync(answer, 404, "not-found");
        }

        Assert.True(await site.OpensAsync(alice.AccessToken));
    }

    [Fact]
    public async Task Every_process_refuses_an_ended_session_within_5_seconds()
    {
        await using var site = await Site.StartAsync(postgres);
        await using var other = await site.StartAnotherAsync();
        var tokens = await site.SignInAsync("alice-9");
        Assert.True(await other.OpensAsync(tokens.AccessToken));

        using var answer = await site.SendAsync(HttpMethod.Post, "/v1/auth/logout", tokens.AccessToken);

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(5));
        while (await other.OpensAsync(tokens.AccessToken)) await Task.Delay(20, deadline.Token);
    }

    [Fact]
    public async Task A_process_started_later_knows_the_sessions_that_ended_before()
    {
        await using var site = await Site.StartAsync(postgres);
        var tokens = new List<TokenResponse>();
        for (var i = 0; i < 3; i++) tokens.Add(await site.SignInAsync($"voter-{i}"));
        var live = await site.SignInAsync("alice-10");
        foreach (var one in tokens)
        {
            using var answer = await site.SendAsync(HttpMethod.Post, "/v1/auth/logout", one.AccessToken);
        }

        await using var later = await site.StartAnotherAsync();

        foreach (var one in tokens) Assert.False(await later.OpensAsync(one.AccessToken));
        Assert.True(await later.OpensAsync(live.AccessToken));
    }

    private static string SessionId(TokenResponse tokens) =>
        new JsonWebToken(tokens.AccessToken).GetPayloadValue<string>("sid");

    private static async Task<SessionPage> ListAsync(Site site, TokenResponse tokens, string query)
    {
        using var answer = await site.SendAsync(HttpMethod.Get, $"/v1/auth/sessions{query}", tokens.AccessToken);
        Assert.Equal(200, (int)answer.StatusCode);
        Assert.True(answer.Headers.CacheControl!.NoStore);
        return (await answer.Content.ReadFromJsonAsync<SessionPage>(JsonSerializerOptions.Web, Cancel))!;
    }
}
