using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Testing;

namespace IdentityTests;

public sealed class SignInTests(Postgres postgres, SharedSite shared) : IClassFixture<SharedSite>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_valid_id_token_signs_the_voter_in()
    {
        var site = shared.Site;

        var tokens = await site.SignInAsync("alice");

        Assert.Equal(("Bearer", 900), (tokens.TokenType, tokens.ExpiresIn));
        Assert.Equal(16, Base64Url.DecodeFromChars(tokens.VoterId).Length);
        Assert.True(await site.OpensAsync(tokens.AccessToken));
        var access = new JsonWebToken(tokens.AccessToken);
        Assert.Equal(("RS256", "at+jwt"), (access.Alg, access.Typ));
        Assert.Contains(
            "\"typ\":\"at+jwt\"", Encoding.UTF8.GetString(Base64Url.DecodeFromChars(access.EncodedHeader)),
            StringComparison.Ordinal);
        Assert.Equal(tokens.VoterId, access.Subject);
        Assert.Equal(TimeSpan.FromMinutes(15), access.ValidTo - access.IssuedAt);
        Assert.False(access.GetPayloadValue<bool>("verified"));
        Assert.Equal("vote", access.GetPayloadValue<string>("scope"));
        var id = new JsonWebToken(tokens.IdToken);
        Assert.Equal((tokens.VoterId, ProviderServer.Nonce), (id.Subject, id.GetPayloadValue<string>("nonce")));
    }

    [Fact]
    public async Task The_answer_has_exactly_the_members_of_the_contract_and_is_not_stored()
    {
        var site = shared.Site;
        using var answer = await site.PostAsync(
            "/v1/auth/google/token", new { idToken = site.Provider.IdToken("alice"), nonce = ProviderServer.Nonce });

        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync(Cancel))!.AsObject();

        Assert.Equal(
            ["accessToken", "idToken", "refreshToken", "tokenType", "expiresIn", "voterId"],
            body.Select(member => member.Key));
        Assert.True(answer.Headers.CacheControl!.NoStore);
    }

    [Fact]
    public async Task A_login_finds_its_voter_again_and_another_login_another_one()
    {
        var site = shared.Site;

        var first = await site.SignInAsync("alice");
        var again = await site.SignInAsync("alice");
        var other = await site.SignInAsync("bob");

        Assert.Equal(first.VoterId, again.VoterId);
        Assert.NotEqual(first.VoterId, other.VoterId);
        Assert.NotEqual(first.RefreshToken, again.RefreshToken);
    }

    [Fact]
    public async Task First_sign_ins_that_race_make_one_voter()
    {
        await using var site = await Site.StartAsync(postgres);
        await using var second = await site.StartAnotherAsync();

        var voters = await Task.WhenAll(
            Enumerable.Range(0, 24).Select(i => (i % 2 == 0 ? site : second).SignInAsync("alice")));

        Assert.Single(voters.DistinctBy(tokens => tokens.VoterId));
        Assert.Equal(1, await site.CountAsync("voters"));
        Assert.Equal(1, await site.CountAsync("logins"));
        Assert.Equal(24, await site.CountAsync("sessions"));
    }

    [Fact]
    public async Task A_voter_lies_in_the_shard_of_its_id_and_the_subject_is_stored_nowhere()
    {
        await using var site = await Site.StartAsync(postgres);
        for (var i = 0; i < 8; i++) await site.SignInAsync($"subject-{i}");

        for (var shard = 0; shard < 4; shard++)
        {
            await using var strangers = site.Database.Source.CreateCommand($"""
                SELECT count(*) FROM (
                    SELECT voter_id AS id FROM identity_0{shard}.voters
                    UNION ALL SELECT session_id FROM identity_0{shard}.sessions
                    UNION ALL SELECT login_key FROM identity_0{shard}.logins) AS ids
                WHERE get_byte(id, 0) / 64 <> {shard}
                """);
            Assert.Equal(0L, await strangers.ExecuteScalarAsync(Cancel));
            await using var rows = site.Database.Source.CreateCommand(
                $"SELECT string_agg(logins::text, '') FROM identity_0{shard}.logins");
            Assert.DoesNotContain(
                Convert.ToHexString(Encoding.UTF8.GetBytes("subject")),
                await rows.ExecuteScalarAsync(Cancel) as string ?? "",
                StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task A_process_with_an_old_shard_map_writes_nothing()
    {
        await using var site = await Site.StartAsync(postgres);
        var tokens = await site.SignInAsync("alice");
        await site.MoveShardsAsync(epoch: 2);

        using var signIn = await site.PostAsync(
            "/v1/auth/google/token", new { idToken = site.Provider.IdToken("bob"), nonce = ProviderServer.Nonce });
        using var refresh = await site.RefreshAsync(tokens.RefreshToken);
        using var logOut = await site.SendAsync(HttpMethod.Post, "/v1/auth/logout", tokens.AccessToken);

        foreach (var answer in new[] { signIn, refresh, logOut })
            await Site.AssertProblemAsync(answer, 503, "outcome-unknown");
        Assert.Equal(1, await site.CountAsync("voters"));
        Assert.Equal(1, await site.CountAsync("sessions WHERE ended_at IS NULL AND generation = 1"));
    }

    [Theory]
    [InlineData("/v1/auth/apple/token")]
    [InlineData("/v1/auth/Google/token")]
    [InlineData("/v1/auth/nobody/token")]
    public async Task A_provider_that_is_off_or_unknown_is_not_there(string path)
    {
        var site = shared.Site;
        using var answer = await site.PostAsync(path, new { idToken = "x", nonce = "y" });
        await Site.AssertProblemAsync(answer, 404, "not-found");
    }

    [Theory]
    [InlineData("""{}""", "idToken")]
    [InlineData("""{"idToken":"x"}""", "nonce")]
    [InlineData("""{"idToken":"","nonce":"y"}""", "idToken")]
    [InlineData("""{"idToken":null,"nonce":"y"}""", "idToken")]
    [InlineData("""{"idToken":1,"nonce":"y"}""", "idToken")]
    [InlineData("""{"idToken":"x","nonce":"y","extra":1}""", "extra")]
    [InlineData("""{"idToken":"x","nonce":"y","nonce":"z"}""", "nonce")]
    [InlineData("""{"code":"x","codeVerifier":"y","redirectUri":"https://app.example"}""", "code")]
    [InlineData("""{"accessToken":"x"}""", "accessToken")]
    [InlineData("""{"idToken":"x","nonce":"y","deviceId":""}""", "deviceId")]
    [InlineData("""{"idToken":"x","nonce":"y","deviceId":"\u0000"}""", "deviceId")]
    [InlineData("""[]""", null)]
    [InlineData("""{"idToken":"\ud800","nonce":"y"}""", null)]
    [InlineData("""nonsense""", null)]
    [InlineData("", null)]
    public async Task A_body_that_the_contract_does_not_know_is_malformed(string body, string? member)
    {
        var site = shared.Site;
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await site.SendAsync(HttpMethod.Post, "/v1/auth/google/token", body: content);

        var problem = await Site.AssertProblemAsync(answer, 400, "malformed-request");

        if (member is null) return;
        Assert.True(problem.GetProperty("errors").TryGetProperty(member, out _), problem.ToString());
    }

    [Fact]
    public async Task Optional_members_of_the_contract_are_taken()
    {
        var site = shared.Site;
        using var answer = await site.PostAsync("/v1/auth/google/token", new
        {
            idToken = site.Provider.IdToken("alice"),
            nonce = ProviderServer.Nonce,
            turnstileToken = "XXXX.DUMMY.TOKEN",
            fingerprint = "1708102555327.NLOjmg",
            deviceId = "phone-1",
        });
        var token = new JsonWebToken((await Site.TokensAsync(answer)).AccessToken);
        Assert.Equal("phone-1", token.GetPayloadValue<string>("device"));
    }
}
