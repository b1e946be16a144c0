using System.Text.Json.Nodes;
using Testing;

namespace IdentityTests;

public sealed class IdTokenTests(Postgres postgres, SharedSite shared) : IClassFixture<SharedSite>
{
    /// <summary>Each makes one thing of a right token wrong.</summary>
    private static readonly Dictionary<string, Func<Site, string>> Wrong = new()
    {
        ["another issuer"] = Claim("iss", "https://issuer.example"),
        ["no issuer"] = Claim("iss", null),
        ["the issuer with a slash"] = site => Claim("iss", site.Provider.Address + "/")(site),
        ["another audience"] = Claim("aud", "somebody-else"),
        ["no audience"] = Claim("aud", null),
        ["a stranger among the audiences"] = Claim("aud", new JsonArray(ProviderServer.ClientId, "somebody-else")),
        ["no audience in the list"] = Claim("aud", new JsonArray()),
        ["another authorized party"] = Claim("azp", "somebody-else"),
        ["a party that is no string"] = Claim("azp", new JsonArray(ProviderServer.ClientId)),
        ["an empty party"] = Claim("azp", ""),
        ["expired"] = site => At(site, "exp", -120),
        ["no expiry"] = Claim("exp", null),
        ["an expiry that is a word"] = Claim("exp", "tomorrow"),
        ["issued in the future"] = site => At(site, "iat", 600),
        ["no time of issue"] = Claim("iat", null),
        ["not yet valid"] = site => At(site, "nbf", 600),
        ["another nonce"] = Claim("nonce", "another"),
        ["no nonce"] = Claim("nonce", null),
        ["the nonce in another case"] = Claim("nonce", ProviderServer.Nonce.ToUpperInvariant()),
        ["no subject"] = Claim("sub", null),
        ["an empty subject"] = Claim("sub", ""),
        ["too long a subject"] = Claim("sub", new string('1', 256)),
        ["no signature"] = site => site.Provider.Key.Sign(site.Provider.Claims("alice"), "none"),
        ["no signature, spelt otherwise"] = site => site.Provider.Key.Sign(
            site.Provider.Claims("alice"), "none", header: new() { ["alg"] = "nOnE" }),
        ["the public key taken for a secret"] = site => site.Provider.Key.Sign(site.Provider.Claims("alice"), "HS256"),
        ["another algorithm of the same key"] = site => site.Provider.Key.Sign(site.Provider.Claims("alice"), "RS384"),
        ["PSS padding"] = site => site.Provider.Key.Sign(site.Provider.Claims("alice"), "PS256"),
        ["a stranger's key under the provider's id"] = site =>
            new ProviderKey().Sign(site.Provider.Claims("alice"), keyId: site.Provider.Key.KeyId),
        ["a key that is not published"] = site => new ProviderKey().Sign(site.Provider.Claims("alice")),
        ["no key id"] = site => site.Provider.Key.Sign(site.Provider.Claims("alice"), header: new() { ["kid"] = null }),
        ["a key brought along"] = site =>
        {
            var own = new ProviderKey();
            return own.Sign(site.Provider.Claims("alice"), header: new() { ["jwk"] = JsonNode.Parse(own.Jwk()) });
        },
        ["a critical extension"] = site => site.Provider.Key.Sign(
            site.Provider.Claims("alice"), header: new() { ["crit"] = new JsonArray("exp") }),
        ["another payload under the signature"] = site =>
        {
            var mine = site.Provider.IdToken("alice").Split('.');
            var others = site.Provider.IdToken("mallory").Split('.');
            return $"{mine[0]}.{others[1]}.{mine[2]}";
        },
        ["the signature cut off"] = site => site.Provider.IdToken("alice")[..^20],
        ["two parts"] = site => string.Join('.', site.Provider.IdToken("alice").Split('.')[..2]),
        ["five parts"] = _ => "a.b.c.d.e",
        ["no token at all"] = _ => "this-is-no-token",
        ["dots"] = _ => "..",
        ["a header that is no JSON"] = site => $"AAAA.{site.Provider.IdToken("alice").Split('.', 2)[1]}",
        ["a header that is a list"] = site => $"W10.{site.Provider.IdToken("alice").Split('.', 2)[1]}",
        ["signs that base64url has not"] = site => site.Provider.IdToken("alice").Replace('.', '!'),
    };

    public static TheoryData<string> WrongTokens => [.. Wrong.Keys];

    [Theory, MemberData(nameof(WrongTokens))]
    public async Task A_wrong_id_token_signs_nobody_in(string name)
    {
        var site = shared.Site;
        using var answer = await SignInAsync(site, Wrong[name](site));

        await Site.AssertProblemAsync(answer, 401, "unauthenticated");

        Assert.Equal("Bearer error=\"invalid_token\"", answer.Headers.WwwAuthenticate.ToString());
    }

    [Fact]
    public async Task Spellings_that_providers_use_are_taken()
    {
        var site = shared.Site;
        foreach (var token in new[]
        {
            Claim("azp", null)(site),
            Claim("azp", "another-app-of-ours")(site),
            Claim("aud", new JsonArray(ProviderServer.ClientId))(site),
            Claim("iss", site.Provider.Address.Split("://")[1])(site),
            site.Provider.Key.Sign(site.Provider.Claims("alice"), header: new() { ["typ"] = "JWT" }),
            At(site, "exp", -30),
            At(site, "iat", 30),
        })
        {
            using var answer = await SignInAsync(site, token);
            Assert.Equal(200, (int)answer.StatusCode);
        }
    }

    [Fact]
    public async Task A_new_key_of_the_provider_is_fetched_and_the_old_one_refused()
    {
        await using var site = await Site.StartAsync(postgres);
        await site.SignInAsync("alice");
        var old = site.Provider.Key;
        site.Clock.Advance(TimeSpan.FromSeconds(11));

        site.Provider.Key = new();

        await site.SignInAsync("alice");
        using var answer = await SignInAsync(site, old.Sign(site.Provider.Claims("alice")));
        await Site.AssertProblemAsync(answer, 401, "unauthenticated");
        Assert.Equal(2, site.Provider.KeyRequests);
    }

    [Fact]
    public async Task Made_up_key_ids_do_not_make_us_ask_the_provider_each_time()
    {
        await using var site = await Site.StartAsync(postgres);
        await site.SignInAsync("alice");

        for (var i = 0; i < 20; i++)
        {
            using var answer = await SignInAsync(site, new ProviderKey().Sign(site.Provider.Claims("alice")));
            Assert.Equal(401, (int)answer.StatusCode);
        }

        Assert.Equal(1, site.Provider.KeyRequests);
        site.Clock.Advance(TimeSpan.FromSeconds(11));
        using var later = await SignInAsync(site, new ProviderKey().Sign(site.Provider.Claims("alice")));
        Assert.Equal(2, site.Provider.KeyRequests);
    }

    [Fact]
    public async Task Sign_ins_at_once_ask_for_the_keys_once()
    {
        await using var site = await Site.StartAsync(postgres);
        await Task.WhenAll(Enumerable.Range(0, 16).Select(i => site.SignInAsync($"voter-{i}")));
        Assert.Equal(1, site.Provider.KeyRequests);
    }

    [Fact]
    public async Task A_provider_out_of_reach_is_said_to_be_and_sign_in_works_once_it_is_back()
    {
        await using var site = await Site.StartAsync(postgres);
        site.Provider.IsBroken = true;
        using var answer = await SignInAsync(site, site.Provider.IdToken("alice"));
        await Site.AssertProblemAsync(answer, 503, "provider-unavailable");
        Assert.NotNull(answer.Headers.RetryAfter);

        site.Provider.IsBroken = false;
        site.Clock.Advance(TimeSpan.FromSeconds(4));

        await site.SignInAsync("alice");
    }

    [Fact]
    public async Task Known_keys_serve_on_for_a_day_while_the_provider_is_out_of_reach()
    {
        await using var site = await Site.StartAsync(postgres);
        await site.SignInAsync("alice");
        site.Provider.IsBroken = true;

        site.Clock.Advance(TimeSpan.FromHours(2));
        await site.SignInAsync("alice");
        site.Clock.Advance(TimeSpan.FromHours(23));

        using var answer = await SignInAsync(site, site.Provider.IdToken("alice"));
        await Site.AssertProblemAsync(answer, 503, "provider-unavailable");
    }

    [Fact]
    public async Task A_discovery_document_of_another_issuer_is_not_followed()
    {
        await using var site = await Site.StartAsync(postgres);
        site.Provider.ClaimedIssuer = "https://issuer.example";
        using var answer = await SignInAsync(site, site.Provider.IdToken("alice"));
        await Site.AssertProblemAsync(answer, 503, "provider-unavailable");
        Assert.Equal(0, site.Provider.KeyRequests);
    }

    private static Task<HttpResponseMessage> SignInAsync(Site site, string idToken) =>
        site.PostAsync("/v1/auth/google/token", new { idToken, nonce = ProviderServer.Nonce });

    private static Func<Site, string> Claim(string name, JsonNode? value) => site =>
    {
        var claims = site.Provider.Claims("alice");
        if (value is null) claims.Remove(name);
        else claims[name] = value.DeepClone();
        return site.Provider.Key.Sign(claims);
    };

    private static string At(Site site, string name, int seconds) =>
        Claim(name, site.Clock.GetUtcNow().ToUnixTimeSeconds() + seconds)(site);
}
