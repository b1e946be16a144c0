using System.Net.Http.Json;
using System.Text.Json;

namespace EndToEndTests;

public sealed class SignInTests(Site site)
{
    [Theory]
    [InlineData("google")]
    [InlineData("apple")]
    [InlineData("facebook")]
    public async Task A_providers_id_token_signs_a_voter_in(string provider)
    {
        var minted = await MintAsync(provider);

        var answer = await SignInAsync(provider, minted);

        answer.IsJson(200).IsNotStored();
        Assert.Equal(
            ["accessToken", "idToken", "refreshToken", "tokenType", "expiresIn", "voterId"],
            answer.Json.EnumerateObject().Select(member => member.Name));
        Assert.Equal("Bearer", answer.Member("tokenType"));
        Assert.Equal(900, answer.Json.GetProperty("expiresIn").GetInt32());
        var access = Jwt.Parse(answer.Member("accessToken"));
        Assert.Equal(("at+jwt", "RS256"), (access.Head("typ"), access.Head("alg")));
        var id = Jwt.Parse(answer.Member("idToken"));
        Assert.Equal(minted.GetProperty("nonce").GetString(), id.Claim("nonce"));
        var keys = (await site.Public.GetAsync("/.well-known/jwks.json")).Json.GetProperty("keys").EnumerateArray()
            .ToArray();
        Assert.All([access, id], token => Assert.True(token.IsSignedBy(
            Assert.Single(keys, key => key.GetProperty("kid").GetString() == token.Head("kid")))));
        Assert.Equal(answer.Member("voterId"), access.Claim("sub"));

        // The same person is the same voter, in a session of its own.
        var again = await SignInAsync(provider, await MintForAsync(minted));
        Assert.Equal(answer.Member("voterId"), again.IsJson(200).Member("voterId"));
        Assert.NotEqual(answer.Member("refreshToken"), again.Member("refreshToken"));
        // Whoever else has seen the token gets nothing for it.
        (await SignInAsync(provider, minted)).IsProblem("unauthenticated").IsNotStored();
    }

    [Theory]
    [InlineData("expired")]
    [InlineData("not-yet-valid")]
    [InlineData("wrong-audience")]
    [InlineData("wrong-issuer")]
    [InlineData("wrong-nonce")]
    [InlineData("wrong-key")]
    [InlineData("unknown-key")]
    [InlineData("tampered")]
    [InlineData("alg-none")]
    [InlineData("alg-hmac")]
    [InlineData("malformed")]
    public async Task A_flawed_id_token_signs_nobody_in(string flaw)
    {
        var answer = await SignInAsync("google", await MintAsync("google", $"?flaw={flaw}"));

        answer.IsProblem("unauthenticated").IsNotStored();
    }

    [Fact]
    public async Task Nobody_signs_in_by_a_provider_that_is_not_there()
    {
        var minted = await MintAsync("google");

        foreach (var provider in new[] { "nobody", "Google", "google%20", "..", "%2e%2e", "\u00fc" })
        {
            var answer = await SignInAsync(Uri.EscapeDataString(Uri.UnescapeDataString(provider)), minted);
            answer.IsProblem("not-found");
        }
    }

    [Fact]
    public async Task A_refresh_token_works_once_and_its_second_use_ends_the_session()
    {
        var first = (await SignInAsync("google", await MintAsync("google"))).Json;
        var refreshToken = first.GetProperty("refreshToken").GetString()!;

        var refreshed = (await RefreshAsync(refreshToken)).IsJson(200).IsNotStored();
        Assert.Equal(
            ["accessToken", "idToken", "refreshToken", "tokenType", "expiresIn", "voterId"],
            refreshed.Json.EnumerateObject().Select(member => member.Name));
        Assert.Equal(first.GetProperty("voterId").GetString(), refreshed.Member("voterId"));
        var newest = (await RefreshAsync(refreshed.Member("refreshToken"))).IsJson(200);
        (await RefreshAsync(refreshToken)).IsProblem("unauthenticated").IsNotStored();
        (await RefreshAsync(newest.Member("refreshToken"))).IsProblem("unauthenticated");
        await EndsAsync(newest.Member("accessToken"));
    }

    [Fact]
    public async Task A_session_of_a_device_is_refreshed_with_that_device_only()
    {
        var minted = await MintAsync("google");
        var body =
            $$"""{"idToken":"{{Text(minted, "idToken")}}","nonce":"{{Text(minted, "nonce")}}","deviceId":"phone"}""";
        var answer = (await site.Public.PostAsync("/v1/auth/google/token", null, body)).IsJson(200);
        var sessions = await site.Public.GetAsync("/v1/auth/sessions", answer.Member("accessToken"));
        var token = answer.Member("refreshToken");

        Assert.Equal("phone",
            Assert.Single(sessions.Json.GetProperty("items").EnumerateArray()).GetProperty("device").GetString());
        (await RefreshAsync(token)).IsProblem("unauthenticated");
        (await site.Public.PostAsync("/v1/auth/refresh", null, $$"""{"refreshToken":"{{token}}","deviceId":"other"}"""))
            .IsProblem("unauthenticated");
        (await site.Public.PostAsync("/v1/auth/refresh", null, $$"""{"refreshToken":"{{token}}","deviceId":"phone"}"""))
            .IsJson(200);
    }

    [Fact]
    public async Task Sessions_are_listed_and_ended_one_by_one_or_all_at_once()
    {
        var minted = await MintAsync("google");
        var tokens = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var answer = await SignInAsync("google", await MintForAsync(minted));
            tokens.Add(answer.IsJson(200).Member("accessToken"));
        }

        var list = (await site.Public.GetAsync("/v1/auth/sessions", tokens[0])).IsJson(200).IsNotStored().Json;
        Assert.Equal(["items", "next"], list.EnumerateObject().Select(member => member.Name));
        var items = list.GetProperty("items").EnumerateArray().ToArray();
        Assert.Equal(3, items.Length);
        Assert.All(items, item => Assert.Equal(
            ["id", "device", "createdAt", "lastSeenAt", "current"],
            item.EnumerateObject().Select(member => member.Name)));
        Assert.Single(items, item => item.GetProperty("current").GetBoolean());
        var paged = (await site.Public.GetAsync("/v1/auth/sessions?limit=2", tokens[0])).IsJson(200).Json;
        var next = (await site.Public.GetAsync(
            $"/v1/auth/sessions?limit=2&cursor={paged.GetProperty("next").GetString()}", tokens[0])).IsJson(200).Json;
        Assert.Equal(
            items.Select(item => Text(item, "id")),
            new[] { paged, next }.SelectMany(page => page.GetProperty("items").EnumerateArray())
                .Select(item => Text(item, "id")));

        var other = Jwt.Parse(tokens[1]).Claim("sid");
        var stranger = await site.VoterAsync();
        (await site.Public.DeleteAsync($"/v1/auth/sessions/{other}", stranger.AccessToken)).IsProblem("not-found");
        (await site.Public.DeleteAsync($"/v1/auth/sessions/{other}", tokens[0])).Is(204);
        (await site.Public.DeleteAsync($"/v1/auth/sessions/{other}", tokens[0])).Is(204);
        await EndsAsync(tokens[1]);
        Assert.Empty((await site.Public.SendAsync("POST", "/v1/auth/logout?all=true", tokens[0], null)).Is(204).Bytes);
        await EndsAsync(tokens[0]);
        await EndsAsync(tokens[2]);
        (await site.Public.GetAsync("/v1/auth/sessions", stranger.AccessToken)).IsJson(200);
    }

    [Fact]
    public async Task Logging_out_ends_this_session_and_no_other()
    {
        var minted = await MintAsync("google");
        var mine = (await SignInAsync("google", minted)).IsJson(200);
        var other = (await SignInAsync("google", await MintForAsync(minted))).IsJson(200);

        foreach (var query in new[] { "?all=yes", "?all=TRUE", "?all=true&all=true", "?all=1" })
        {
            (await site.Public.SendAsync("POST", $"/v1/auth/logout{query}", mine.Member("accessToken"), null))
                .IsProblem("malformed-request");
        }

        (await site.Public.SendAsync("POST", "/v1/auth/logout", mine.Member("accessToken"), null)).Is(204);
        await EndsAsync(mine.Member("accessToken"));
        (await RefreshAsync(mine.Member("refreshToken"))).IsProblem("unauthenticated");
        (await site.Public.GetAsync("/v1/auth/sessions", other.Member("accessToken"))).IsJson(200);
    }

    private Task EndsAsync(string accessToken) => Site.EventuallyAsync(async () =>
        (await site.Public.GetAsync("/v1/auth/sessions", accessToken)).Status == 401);

    private Task<Answer> RefreshAsync(string token) =>
        site.Public.PostAsync("/v1/auth/refresh", null, $$"""{"refreshToken":"{{token}}"}""");

    private Task<Answer> SignInAsync(string provider, JsonElement minted) => site.Public.PostAsync(
        $"/v1/auth/{provider}/token", null,
        $$"""{"idToken":"{{Text(minted, "idToken")}}","nonce":"{{Text(minted, "nonce")}}"}""");

    /// <summary>Another token of the same person.</summary>
    private Task<JsonElement> MintForAsync(JsonElement minted) =>
        MintAsync(Text(minted, "provider"), $"?subject={Text(minted, "subject")}");

    private async Task<JsonElement> MintAsync(string provider, string query = "")
    {
        using var answer = await site.Installation.Sandbox.PostAsync(
            $"/sandbox/{provider}/id-token{query}", null, TestContext.Current.CancellationToken);
        return await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
    }

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;
}
