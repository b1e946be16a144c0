using System.Buffers.Text;
using Testing;

namespace IdentityTests;

public sealed class RefreshTests(Postgres postgres, SharedSite shared) : IClassFixture<SharedSite>
{
    [Fact]
    public async Task A_refresh_gives_new_tokens_of_the_same_session()
    {
        var site = shared.Site;
        var first = await site.SignInAsync("alice");

        using var answer = await site.RefreshAsync(first.RefreshToken);
        var second = await Site.TokensAsync(answer);

        Assert.True(answer.Headers.CacheControl!.NoStore);
        Assert.Equal(first.VoterId, second.VoterId);
        Assert.NotEqual(first.RefreshToken, second.RefreshToken);
        Assert.NotEqual(first.AccessToken, second.AccessToken);
        Assert.True(await site.OpensAsync(second.AccessToken));
        // RFC 6749: a refresh does not take the access token before it away.
        Assert.True(await site.OpensAsync(first.AccessToken));
    }

    [Fact]
    public async Task Tokens_go_on_for_many_generations()
    {
        var site = shared.Site;
        var tokens = await site.SignInAsync("alice");
        for (var i = 0; i < 5; i++)
        {
            using var answer = await site.RefreshAsync(tokens.RefreshToken);
            Assert.Equal(200, (int)answer.StatusCode);
            tokens = await Site.TokensAsync(answer);
        }
    }

    [Fact]
    public async Task A_refresh_whose_answer_was_lost_gets_the_same_token_again()
    {
        await using var site = await Site.StartAsync(postgres);
        var first = await site.SignInAsync("alice");
        using var lost = await site.RefreshAsync(first.RefreshToken);
        site.Clock.Advance(TimeSpan.FromSeconds(8));

        using var again = await site.RefreshAsync(first.RefreshToken);

        Assert.Equal((await Site.TokensAsync(lost)).RefreshToken, (await Site.TokensAsync(again)).RefreshToken);
    }

    [Fact]
    public async Task Refreshes_that_race_move_the_session_on_by_one()
    {
        await using var site = await Site.StartAsync(postgres);
        await using var other = await site.StartAnotherAsync();
        var first = await site.SignInAsync("alice");

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(i => (i % 2 == 0 ? site : other).RefreshAsync(first.RefreshToken)));

        var tokens = await Task.WhenAll(answers.Select(Site.TokensAsync));
        var next = Assert.Single(tokens.DistinctBy(one => one.RefreshToken)).RefreshToken;
        using var answer = await site.RefreshAsync(next);
        Assert.Equal(200, (int)answer.StatusCode);
    }

    [Fact]
    public async Task A_token_used_again_later_ends_the_session()
    {
        await using var site = await Site.StartAsync(postgres);
        var first = await site.SignInAsync("alice");
        using var refreshed = await site.RefreshAsync(first.RefreshToken);
        var second = await Site.TokensAsync(refreshed);
        site.Clock.Advance(TimeSpan.FromSeconds(11));

        using var reused = await site.RefreshAsync(first.RefreshToken);
        await Site.AssertProblemAsync(reused, 401, "unauthenticated");
        Assert.Equal("Bearer error=\"invalid_token\"", reused.Headers.WwwAuthenticate.ToString());

        using var heir = await site.RefreshAsync(second.RefreshToken);
        await Site.AssertProblemAsync(heir, 401, "unauthenticated");
        Assert.False(await site.OpensAsync(second.AccessToken));
        Assert.False(await site.OpensAsync(first.AccessToken));
    }

    [Fact]
    public async Task A_session_that_could_not_be_ended_is_not_said_to_have_ended()
    {
        await using var site = await Site.StartAsync(postgres);
        var first = await site.SignInAsync("alice");
        using var refreshed = await site.RefreshAsync(first.RefreshToken);
        var second = await Site.TokensAsync(refreshed);
        site.Clock.Advance(TimeSpan.FromSeconds(11));

        await site.MoveShardsAsync(epoch: 2);
        using var tooEarly = await site.RefreshAsync(first.RefreshToken);
        await Site.AssertProblemAsync(tooEarly, 503, "outcome-unknown");
        Assert.True(await site.OpensAsync(second.AccessToken));

        await site.MoveShardsAsync(epoch: 1);
        using var reused = await site.RefreshAsync(first.RefreshToken);
        await Site.AssertProblemAsync(reused, 401, "unauthenticated");
        using var heir = await site.RefreshAsync(second.RefreshToken);
        await Site.AssertProblemAsync(heir, 401, "unauthenticated");
    }

    [Fact]
    public async Task A_token_two_generations_old_ends_the_session_however_soon()
    {
        var site = shared.Site;
        var first = await site.SignInAsync("alice");
        using var second = await site.RefreshAsync(first.RefreshToken);
        using var third = await site.RefreshAsync((await Site.TokensAsync(second)).RefreshToken);

        using var reused = await site.RefreshAsync(first.RefreshToken);

        await Site.AssertProblemAsync(reused, 401, "unauthenticated");
        using var heir = await site.RefreshAsync((await Site.TokensAsync(third)).RefreshToken);
        await Site.AssertProblemAsync(heir, 401, "unauthenticated");
    }

    [Fact]
    public async Task The_end_of_one_session_leaves_the_voters_others_alone()
    {
        await using var site = await Site.StartAsync(postgres);
        var (phone, tablet) = (await site.SignInAsync("alice"), await site.SignInAsync("alice"));
        using var refreshed = await site.RefreshAsync(phone.RefreshToken);
        site.Clock.Advance(TimeSpan.FromSeconds(11));
        using var reused = await site.RefreshAsync(phone.RefreshToken);

        using var answer = await site.RefreshAsync(tablet.RefreshToken);

        Assert.Equal(200, (int)answer.StatusCode);
        Assert.True(await site.OpensAsync(tablet.AccessToken));
    }

    [Fact]
    public async Task A_session_of_one_device_is_refused_to_another_and_lives_on()
    {
        var site = shared.Site;
        var tokens = await site.SignInAsync("alice", deviceId: "phone-1");

        using var thief = await site.RefreshAsync(tokens.RefreshToken, deviceId: "phone-2");
        using var nameless = await site.RefreshAsync(tokens.RefreshToken);
        using var owner = await site.RefreshAsync(tokens.RefreshToken, deviceId: "phone-1");

        await Site.AssertProblemAsync(thief, 401, "unauthenticated");
        await Site.AssertProblemAsync(nameless, 401, "unauthenticated");
        Assert.Equal(200, (int)owner.StatusCode);
    }

    [Fact]
    public async Task A_good_token_with_a_device_that_no_row_can_hold_is_malformed_and_lives_on()
    {
        var site = shared.Site;
        var tokens = await site.SignInAsync("alice", deviceId: "phone-1");
        foreach (var device in new[] { "a\0b", "\0", "", new string('x', 129) })
        {
            using var answer = await site.RefreshAsync(tokens.RefreshToken, device);
            var problem = await Site.AssertProblemAsync(answer, 400, "malformed-request");
            Assert.True(problem.GetProperty("errors").TryGetProperty("deviceId", out _), problem.ToString());
        }

        using var right = await site.RefreshAsync(tokens.RefreshToken, "phone-1");
        Assert.Equal(200, (int)right.StatusCode);
    }

    [Fact]
    public async Task A_session_left_alone_for_a_month_is_over()
    {
        await using var site = await Site.StartAsync(postgres);
        var tokens = await site.SignInAsync("alice");
        site.Clock.Advance(TimeSpan.FromDays(30));
        using var answer = await site.RefreshAsync(tokens.RefreshToken);
        await Site.AssertProblemAsync(answer, 401, "unauthenticated");
    }

    [Fact]
    public async Task A_session_is_over_after_its_lifetime_however_busy()
    {
        await using var site = await Site.StartAsync(postgres, ("Identity:SessionLifetime", "2.00:00:00"));
        var tokens = await site.SignInAsync("alice");
        site.Clock.Advance(TimeSpan.FromDays(1.5));
        using var first = await site.RefreshAsync(tokens.RefreshToken);
        site.Clock.Advance(TimeSpan.FromDays(1));
        using var second = await site.RefreshAsync((await Site.TokensAsync(first)).RefreshToken);
        await Site.AssertProblemAsync(second, 401, "unauthenticated");
    }

    [Fact]
    public async Task A_token_that_we_did_not_make_is_refused()
    {
        var site = shared.Site;
        var tokens = await site.SignInAsync("alice");
        var bytes = Base64Url.DecodeFromChars(tokens.RefreshToken);
        foreach (var place in new[] { 0, 5, 19, 20, bytes.Length - 1 })
        {
            var altered = (byte[])bytes.Clone();
            altered[place] ^= 1;
            using var answer = await site.RefreshAsync(Base64Url.EncodeToString(altered));
            await Site.AssertProblemAsync(answer, 401, "unauthenticated");
        }

        foreach (var nonsense in new[]
        {
            "", "x", tokens.AccessToken, tokens.IdToken, new string('!', 70), new string('A', 70),
        })
        {
            using var answer = await site.RefreshAsync(nonsense);
            await Site.AssertProblemAsync(answer, 401, "unauthenticated");
        }

        using var right = await site.RefreshAsync(tokens.RefreshToken);
        Assert.Equal(200, (int)right.StatusCode);
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"refreshToken":null}""")]
    [InlineData("""{"refreshToken":7}""")]
    [InlineData("""{"refreshToken":"x","more":1}""")]
    [InlineData("""{"refreshToken":"x","deviceId":""}""")]
    [InlineData("""{"refreshToken":"x","deviceId":"\u0000"}""")]
    public async Task A_body_that_the_contract_does_not_know_is_malformed(string body)
    {
        var site = shared.Site;
        using var content = new StringContent(body, null, "application/json");
        using var answer = await site.SendAsync(HttpMethod.Post, "/v1/auth/refresh", body: content);
        await Site.AssertProblemAsync(answer, 400, "malformed-request");
    }
}
