using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Testing;

namespace EndToEndTests;

/// <summary>Tokens that are not what they say, at every kind of endpoint that asks for one.</summary>
public sealed class HostileTokenTests(Site site)
{
    [Fact]
    public async Task No_forged_or_foreign_token_is_taken_for_a_voters()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var good = Jwt.Parse(voter.AccessToken);
        var genuine = await StolenKeys.SignerAsync(site, "access-tokens");
        Assert.Equal(200, (await site.Public.GetAsync("/v1/auth/sessions", good.Forge(genuine))).Status);

        foreach (var (what, token) in await ForgeriesAsync(voter, good, genuine, "RS256"))
        {
            foreach (var (method, path, body) in new[]
            {
                ("GET", "/v1/auth/sessions", null), ("GET", $"{survey.Votes}/mine", null),
                ("POST", survey.Votes, survey.Ballot(0)),
            })
            {
                var answer = await site.Public.SendAsync(method, path, token, body is null ? null : Door.Json(body));
                Assert.True(answer.Status == 401, $"{what}: {method} {path} answered {answer.Status}.");
                answer.IsProblem("unauthenticated").IsNotStored();
                Assert.Equal("Bearer error=\"invalid_token\"", answer.Headers["www-authenticate"]);
            }
        }

        (await site.Public.GetAsync($"{survey.Votes}/mine", voter.AccessToken)).IsProblem("not-found");
        Assert.Equal(0, (await site.FinishAsync(survey)).GetProperty("totalResponses").GetInt64());
    }

    [Fact]
    public async Task No_forged_or_foreign_token_is_taken_for_staffs()
    {
        var voter = await site.VoterAsync();
        var good = Jwt.Parse(site.Manager);
        var genuine = await StolenKeys.SignerAsync(site, "staff-tokens");
        Assert.Equal(200, (await site.Internal.GetAsync("/v1/internal/surveys", good.Forge(genuine))).Status);
        var forgeries = await ForgeriesAsync(voter, good, genuine, "ES256");
        forgeries.Add(("a voter's", voter.AccessToken));
        forgeries.Add(("of an unknown role", good.Forge(genuine, payload: [("role", "king")])));
        forgeries.Add(("of no role", good.Forge(genuine, payload: [("role", null)])));
        forgeries.Add(("of two roles", good.Forge(genuine, payload: [("role", new JsonArray("manager", "admin"))])));

        foreach (var (what, token) in forgeries)
        {
            foreach (var (method, body) in new[] { ("GET", null), ("POST", Samples.Elections) })
            {
                var answer = await site.Internal.SendAsync(
                    method, "/v1/internal/surveys", token, body is null ? null : Door.Json(body));
                Assert.True(answer.Status == 401, $"{what}: {method} answered {answer.Status}.");
                answer.IsProblem("unauthenticated").IsNotStored();
            }
        }
    }

    [Fact]
    public async Task A_token_counts_in_one_authorization_header_only()
    {
        var voter = await site.VoterAsync();
        var token = voter.AccessToken;
        foreach (var (query, headers) in new[]
        {
            ($"?access_token={token}", Array.Empty<(string, string)>()), ($"?token={token}", []),
            ("", [("Cookie", $"access_token={token}")]), ("", [("X-Authorization", $"Bearer {token}")]),
            ("", [("Authorization", $"Basic {token}")]), ("", [("Authorization", token)]),
            ("", [("Authorization", $"DPoP {token}")]),
            ("", [("Proxy-Authorization", $"Bearer {token}")]), ("", [("Authorization", $"Bearer{token}")]),
        })
        {
            var answer = await site.Public.GetAsync($"/v1/auth/sessions{query}", null, headers);
            Assert.Equal("Bearer", answer.IsProblem("unauthenticated").Headers["www-authenticate"]);
        }

        foreach (var header in new[] { "Bearer", "Bearer ", $"Bearer {token} {token}",
            $"Bearer {token}, Bearer {token}", $"Bearer \"{token}\"" })
            (await site.Public.GetAsync("/v1/auth/sessions", null, ("Authorization", header)))
                .IsProblem("unauthenticated");
        (await site.Public.GetAsync("/v1/auth/sessions", null, ("Authorization", $"bearer {token}"))).IsJson(200);

        foreach (var second in new[] { token, "junk" })
        {
            var status = await RawStatusAsync(
                $"GET /v1/auth/sessions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
                + $"Authorization: Bearer {second}\r\n");
            Assert.Equal(401, status);
        }

        Assert.Equal(200,
            await RawStatusAsync($"GET /v1/auth/sessions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"));
    }

    [Fact]
    public async Task What_is_no_HTTP_is_refused_and_the_process_lives_on()
    {
        foreach (var junk in new[]
        {
            "GET / HTTP/9.9\r\nHost: a\r\n", "\0\0\0\0\r\n", "GET /\0 HTTP/1.1\r\nHost: a\r\n",
            "GET /v1/surveys/1%00 HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
            "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n",
            "POST /v1/auth/refresh HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
            "POST /v1/auth/refresh HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
            $"GET /{new string('a', 20_000)} HTTP/1.1\r\nHost: a\r\n",
            $"GET / HTTP/1.1\r\nHost: a\r\nX: {new string('a', 40_000)}\r\n",
        })
        {
            Assert.InRange(await RawStatusAsync(junk), 400, 505);
        }

        (await site.Public.GetAsync("/v1/surveys")).IsJson(200);
    }

    private async Task<List<(string What, string Token)>> ForgeriesAsync(
        SignedInVoter voter, Jwt good, Func<byte[], byte[]> genuine, string algorithm)
    {
        using var rsa = RSA.Create(2048);
        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] Stranger(byte[] bytes) => algorithm == "RS256"
            ? rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
                : ec.SignData(bytes, HashAlgorithmName.SHA256);
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var whole = good.Forge(genuine);
        var parts = whole.Split('.');
        var publicKey = await site.ScalarAsync<byte[]>("SELECT public_key FROM platform.keys WHERE key_id = $1",
            good.Head("kid"));
        var pem = PemEncoding.WriteString("PUBLIC KEY", publicKey!);
        (string, JsonNode?)[] hmac = [("alg", "HS256")];
        var refresh = (await site.Public.PostAsync(
            "/v1/auth/refresh", null, $$"""{"refreshToken":"{{(await site.VoterAsync()).RefreshToken}}"}"""))
                .IsJson(200);
        var other = algorithm == "RS256" ? site.Manager : voter.AccessToken;
        return
        [
            ("empty", ""), ("junk", "junk"), ("dots", ".."), ("three parts", "a.b.c"), ("five parts", "a.b.c.d.e"),
            ("10 KB", new string('a', 10_240)), ("10 KB of token", $"{parts[0]}.{parts[1]}.{new string('A', 10_240)}"),
            ("cut", whole[..^4]), ("without signature", $"{parts[0]}.{parts[1]}."),
            ("two parts", $"{parts[0]}.{parts[1]}"),
            ("tampered", $"{parts[0]}.{parts[1]}.{(parts[2][0] == 'A' ? 'B' : 'A')}{parts[2][1..]}"),
            ("of another key", good.Forge(Stranger)),
            ("of an unknown key", good.Forge(Stranger, [("kid", "nobody-knows-it")])),
            ("without kid", good.Forge(genuine, [("kid", null)])),
            ("kid is a path", good.Forge(Stranger, [("kid", "../../dev/null")])),
            ("alg none", good.Forge(_ => [], [("alg", "none")])), ("alg None", good.Forge(_ => [], [("alg", "None")])),
            ("alg none, signed", good.Forge(genuine, [("alg", "none")])),
            ("no alg", good.Forge(genuine, [("alg", null)])),
            ("HS256 by PEM", good.Forge(bytes => HMACSHA256.HashData(Encoding.ASCII.GetBytes(pem), bytes), hmac)),
            ("HS256 by DER", good.Forge(bytes => HMACSHA256.HashData(publicKey!, bytes), hmac)),
            ("RS512", good.Forge(genuine, [("alg", "RS512")])),
            ("own jwk", good.Forge(Stranger, [("jwk", new JsonObject())])),
            ("crit", good.Forge(genuine, [("crit", new JsonArray("exp"))])),
            ("typ JWT", good.Forge(genuine, [("typ", "JWT")])),
            ("no typ", good.Forge(genuine, [("typ", null)])),
            ("expired", good.Forge(genuine, payload: [("exp", now - 60)])),
            ("no exp", good.Forge(genuine, payload: [("exp", null)])),
            ("exp is text", good.Forge(genuine, payload: [("exp", "never")])),
            ("exp is huge", good.Forge(genuine, payload: [("exp", 1e300)])),
            ("not yet valid", good.Forge(genuine, payload: [("nbf", now + 600)])),
            ("of another audience", good.Forge(genuine, payload: [("aud", "another")])),
            ("of no audience", good.Forge(genuine, payload: [("aud", null)])),
            ("of another issuer", good.Forge(genuine, payload: [("iss", "https://evil.example")])),
            ("of no subject", good.Forge(genuine, payload: [("sub", null)])),
            ("of an empty subject", good.Forge(genuine, payload: [("sub", "")])),
            ("an ID token", refresh.Member("idToken")), ("a refresh token", refresh.Member("refreshToken")),
            ("of the other kind", other),
        ];
    }

    private async Task<int> RawStatusAsync(string head)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", site.Public.Address.Port, TestContext.Current.CancellationToken);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes($"{head}Connection: close\r\n\r\n"),
            TestContext.Current.CancellationToken);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        var line = await reader.ReadLineAsync(TestContext.Current.CancellationToken);
        return int.Parse(line!.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }
}
