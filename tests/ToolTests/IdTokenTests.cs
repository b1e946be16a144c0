using System.Buffers.Text;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ToolTests;

public sealed class IdTokenTests(RunningSandbox sandbox)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("google")]
    [InlineData("apple")]
    [InlineData("facebook")]
    public async Task A_token_is_what_the_provider_published_it_would_be(string provider)
    {
        var token = await MintAsync(provider, "?subject=me&nonce=once&audience=app");

        Assert.True(token.SignatureIsGood);
        Assert.Equal(token.Configuration.GetProperty("issuer").GetString(), token.Claim("iss"));
        Assert.Equal("me", token.Claim("sub"));
        Assert.Equal("once", token.Claim("nonce"));
        Assert.Equal("app", token.Claim("aud"));
        Assert.InRange(token.Seconds("iat"), Now - 60, Now + 5);
        Assert.InRange(token.Seconds("exp"), Now + 60, Now + 7200);
    }

    [Fact]
    public async Task Two_tokens_without_a_subject_name_two_persons()
    {
        var (first, second) = (await MintAsync("apple", ""), await MintAsync("apple", ""));

        Assert.NotEqual(first.Claim("sub"), second.Claim("sub"));
    }

    [Theory]
    [InlineData("wrong-key")]
    [InlineData("unknown-key")]
    [InlineData("tampered")]
    [InlineData("alg-none")]
    [InlineData("alg-hmac")]
    public async Task A_flaw_of_the_signature_leaves_no_good_one(string flaw) =>
        Assert.False((await MintAsync("google", $"?flaw={flaw}")).SignatureIsGood);

    [Fact]
    public async Task A_flaw_of_a_claim_is_signed_like_the_truth()
    {
        var expired = await MintAsync("google", "?flaw=expired&flaw=wrong-audience&flaw=wrong-issuer&nonce=a");

        Assert.True(expired.SignatureIsGood);
        Assert.True(expired.Seconds("exp") < Now);
        Assert.Equal("somebody-else", expired.Claim("aud"));
        Assert.Equal("https://issuer.example", expired.Claim("iss"));

        var bare = await MintAsync(
            "google", "?flaw=no-nonce&flaw=no-subject&flaw=no-expiry&flaw=issuer-without-scheme");
        Assert.True(bare.SignatureIsGood);
        Assert.All(["nonce", "sub", "exp"], name => Assert.False(bare.Claims.TryGetProperty(name, out _)));
        Assert.DoesNotContain("://", bare.Claim("iss"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("google", "?flaw=none-such", HttpStatusCode.BadRequest)]
    [InlineData("google", "?subjct=me", HttpStatusCode.BadRequest)]
    [InlineData("google", "?subject=a&subject=b", HttpStatusCode.BadRequest)]
    [InlineData("google", "?nonce=", HttpStatusCode.BadRequest)]
    [InlineData("myspace", "", HttpStatusCode.NotFound)]
    public async Task A_request_that_makes_no_sense_is_refused(string provider, string query, HttpStatusCode status)
    {
        using var answer = await sandbox.Client.PostAsync($"/sandbox/{provider}/id-token{query}", null, Cancel);

        Assert.Equal(status, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
    }

    private static long Now => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    private async Task<Token> MintAsync(string provider, string query)
    {
        using var answer = await sandbox.Client.PostAsync($"/sandbox/{provider}/id-token{query}", null, Cancel);
        answer.EnsureSuccessStatusCode();
        var minted = await answer.Content.ReadFromJsonAsync<JsonElement>(Cancel);
        var configuration = await sandbox.Client.GetFromJsonAsync<JsonElement>(
            $"/{provider}/.well-known/openid-configuration", Cancel);
        var keys = await sandbox.Client.GetFromJsonAsync<JsonElement>(
            configuration.GetProperty("jwks_uri").GetString(), Cancel);
        return Token.Read(minted.GetProperty("idToken").GetString()!, configuration, keys);
    }

    private sealed record Token(JsonElement Claims, bool SignatureIsGood, JsonElement Configuration)
    {
        public static Token Read(string compact, JsonElement configuration, JsonElement keys)
        {
            var parts = compact.Split('.');
            var header = JsonElement.Parse(Base64Url.DecodeFromChars(parts[0]));
            using var rsa = RSA.Create();
            var good = false;
            foreach (var key in keys.GetProperty("keys").EnumerateArray())
            {
                if (key.GetProperty("kid").GetString() != header.GetProperty("kid").GetString()) continue;
                rsa.ImportParameters(new()
                {
                    Modulus = Base64Url.DecodeFromChars(key.GetProperty("n").GetString()),
                    Exponent = Base64Url.DecodeFromChars(key.GetProperty("e").GetString()),
                });
                good = header.GetProperty("alg").GetString() == "RS256" && rsa.VerifyData(
                    Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), Base64Url.DecodeFromChars(parts[2]),
                    HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            }

            return new(JsonElement.Parse(Base64Url.DecodeFromChars(parts[1])), good, configuration);
        }

        public string Claim(string name) => Claims.GetProperty(name).GetString()!;

        public long Seconds(string name) => Claims.GetProperty(name).GetInt64();
    }
}
