using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Platform;
using Testing;

namespace IdentityTests;

public sealed class AccessTokenTests(Postgres postgres, SharedSite shared) : IClassFixture<SharedSite>
{
    private const string Purpose = "access-tokens";

    private static readonly Dictionary<string, Func<Site, string, string>> Wrong = new()
    {
        ["another issuer"] = Claim("iss", "https://issuer.example"),
        ["no issuer"] = Claim("iss", null),
        ["another audience"] = Claim("aud", "voting-staff"),
        ["no audience"] = Claim("aud", null),
        ["no voter"] = Claim("sub", null),
        ["a voter of 15 bytes"] = Claim("sub", Base64Url.EncodeToString(new byte[15])),
        ["no session"] = Claim("sid", null),
        ["no token id"] = Claim("jti", null),
        ["no time of issue"] = Claim("iat", null),
        ["no expiry"] = Claim("exp", null),
        ["expired"] = (site, token) => Claim("exp", Now(site) - 10)(site, token),
        ["not yet valid"] = (site, token) => Claim("nbf", Now(site) + 60)(site, token),
        ["no word on verification"] = Claim("verified", null),
        ["no ballot subject"] = Claim("sbj", null),
        ["an empty ballot subject"] = Claim("sbj", ""),
        ["an altered ballot subject"] = Claim("sbj", Base64Url.EncodeToString(new byte[32])),
        ["another token's ballot subject"] = (site, token) =>
            Claim("jti", Base64Url.EncodeToString(new byte[16]))(site, token),
        ["the type of an ID token"] = (site, token) => Resign(site, token, header => header["typ"] = "JWT"),
        ["the type of a staff token"] = (site, token) => Resign(site, token, header => header["typ"] = "staff+jwt"),
        ["no type"] = (site, token) => Resign(site, token, header => header.Remove("typ")),
        ["a critical extension"] = (site, token) =>
            Resign(site, token, header => header["crit"] = new JsonArray("exp")),
        ["no key id"] = (site, token) => Resign(site, token, header => header.Remove("kid")),
        ["an unknown key id"] = (site, token) => Resign(site, token, header => header["kid"] = "unknown-key"),
        ["the key id of the ID tokens"] = (site, token) =>
            Resign(site, token, header => header["kid"] = site.Keys.Current("id-tokens").KeyId),
        ["the key of the ID tokens"] = (site, token) => Resign(site, token, _ => { }, site.Keys.Current("id-tokens")),
        ["the algorithm none"] = (site, token) => Unsigned(token, "none", _ => []),
        ["the public key taken for a secret"] = (site, token) => Unsigned(
            token, "HS256", signed => HMACSHA256.HashData(site.Keys.Current(Purpose).PublicKey.Span, signed)),
        ["another payload under the signature"] = (site, token) =>
        {
            var parts = token.Split('.');
            return $"{parts[0]}.{Encode(Payload(token, claims => claims["verified"] = true))}.{parts[2]}";
        },
        ["the signature cut off"] = (_, token) => token[..^10],
        ["no signature"] = (_, token) => token[..(token.LastIndexOf('.') + 1)],
        ["more than 8 KiB"] = Claim("filler", new string('x', 8 * 1024)),
        ["nonsense"] = (_, _) => "nonsense",
        ["dots"] = (_, _) => "..",
        ["a header that is no JSON"] = (_, token) => "AAAA" + token[token.IndexOf('.')..],
    };

    public static TheoryData<string> WrongTokens => [.. Wrong.Keys];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(WrongTokens))]
    public async Task A_wrong_access_token_opens_nothing(string name)
    {
        var site = shared.Site;
        var tokens = await site.SignInAsync("alice");
        // The way of forging itself is right: only what the case alters is refused.
        Assert.True(await site.OpensAsync(Resign(site, tokens.AccessToken, _ => { })));

        using var answer = await site.SendAsync(
            HttpMethod.Get, "/v1/auth/sessions", Wrong[name](site, tokens.AccessToken));

        await AssertRefusedAsync(answer);
    }

    [Fact]
    public async Task An_access_token_lives_for_15_minutes()
    {
        await using var site = await Site.StartAsync(postgres);
        var tokens = await site.SignInAsync("alice");
        site.Clock.Advance(TimeSpan.FromMinutes(14.9));
        Assert.True(await site.OpensAsync(tokens.AccessToken));
        site.Clock.Advance(TimeSpan.FromSeconds(12));
        Assert.False(await site.OpensAsync(tokens.AccessToken));
    }

    [Fact]
    public async Task No_token_at_all_is_asked_for_without_an_error()
    {
        var site = shared.Site;
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/auth/sessions");
        using var none = await site.SendAsync(HttpMethod.Get, "/v1/auth/sessions");
        request.Headers.TryAddWithoutValidation("Authorization", "Basic YTpi");
        using var other = await site.Http.SendAsync(request, Cancel);

        foreach (var answer in new[] { none, other })
        {
            await Site.AssertProblemAsync(answer, 401, "unauthenticated");
            Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.ToString());
        }
    }

    [Theory]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("Bearer x y")]
    public async Task A_header_without_a_token_in_it_is_refused(string header)
    {
        var site = shared.Site;
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/auth/sessions");
        request.Headers.TryAddWithoutValidation("Authorization", header);
        using var answer = await site.Http.SendAsync(request, Cancel);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Fact]
    public async Task Two_tokens_are_none()
    {
        var site = shared.Site;
        var token = (await site.SignInAsync("alice")).AccessToken;
        using var socket = new System.Net.Sockets.TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, site.Http.BaseAddress!.Port, Cancel);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            "GET /v1/auth/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + $"Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n\r\n"), Cancel);
        var answer = await new StreamReader(stream).ReadToEndAsync(Cancel);
        Assert.StartsWith("HTTP/1.1 401", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_ballot_subject_comes_back_from_the_token_and_cannot_be_read_in_it()
    {
        var site = shared.Site;
        var tokens = await site.SignInAsync("alice");
        using var answer = await site.SendAsync(HttpMethod.Get, "/test/voter", tokens.AccessToken);

        var voterId = Base64Url.DecodeFromChars(tokens.VoterId);

        Assert.Equal(Convert.ToHexString(voterId), await answer.Content.ReadAsStringAsync(Cancel));
        var claims = Payload(tokens.AccessToken, _ => { });
        var sealedSubject = Base64Url.DecodeFromChars(claims["sbj"]!.GetValue<string>());
        Assert.Equal(-1, sealedSubject.AsSpan().IndexOf(voterId));
    }

    [Fact]
    public async Task Voters_and_staff_do_not_pass_for_each_other()
    {
        var site = shared.Site;
        var voter = await site.SignInAsync("alice");
        var admin = Staff(site, StaffRole.Admin);

        using var voterAtStaff = await site.SendAsync(HttpMethod.Get, "/test/staff", voter.AccessToken);
        using var staffAtVoter = await site.SendAsync(HttpMethod.Get, "/v1/auth/sessions", admin);
        using var idToken = await site.SendAsync(HttpMethod.Get, "/v1/auth/sessions", voter.IdToken);
        using var refreshToken = await site.SendAsync(HttpMethod.Get, "/v1/auth/sessions", voter.RefreshToken);

        foreach (var answer in new[] { voterAtStaff, staffAtVoter, idToken, refreshToken })
            await AssertRefusedAsync(answer);
    }

    [Theory]
    [InlineData(StaffRole.Manager, 200)]
    [InlineData(StaffRole.Admin, 200)]
    [InlineData(StaffRole.Auditor, 403)]
    [InlineData(StaffRole.Investigator, 403)]
    public async Task A_role_opens_what_is_its_own_and_admin_opens_all(string role, int status)
    {
        var site = shared.Site;
        var token = Staff(site, role);
        using var any = await site.SendAsync(HttpMethod.Get, "/test/staff", token);
        using var manager = await site.SendAsync(HttpMethod.Get, "/test/manager", token);

        Assert.Equal(role, await any.Content.ReadAsStringAsync(Cancel));
        if (status == 403) await Site.AssertProblemAsync(manager, 403, "forbidden");
        else Assert.Equal("somebody", await manager.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task A_staff_token_ends_with_its_lifetime()
    {
        await using var site = await Site.StartAsync(postgres);
        var token = Staff(site, StaffRole.Manager);
        site.Clock.Advance(TimeSpan.FromHours(12.1));
        using var answer = await site.SendAsync(HttpMethod.Get, "/test/staff", token);
        await AssertRefusedAsync(answer);
    }

    [Fact]
    public async Task A_staff_token_opens_nothing_when_one_module_does_not_admit_who_it_names()
    {
        var site = shared.Site;
        using var admitted = await site.SendAsync(HttpMethod.Get, "/test/staff", Staff(site, StaffRole.Admin));
        using var other = await site.SendAsync(
            HttpMethod.Get, "/test/staff", Staff(site, StaffRole.Admin, Site.StaffNotAdmitted));

        Assert.True(admitted.IsSuccessStatusCode);
        await AssertRefusedAsync(other);
    }

    private static async Task AssertRefusedAsync(HttpResponseMessage answer)
    {
        await Site.AssertProblemAsync(answer, 401, "unauthenticated");
        Assert.Equal("Bearer error=\"invalid_token\"", answer.Headers.WwwAuthenticate.ToString());
    }

    private static string Staff(Site site, string role, string subject = "somebody") =>
        site.Services.GetRequiredService<StaffTokens>().Issue(subject, role, TimeSpan.FromHours(12));

    private static long Now(Site site) => site.Clock.GetUtcNow().ToUnixTimeSeconds();

    private static Func<Site, string, string> Claim(string name, JsonNode? value) => (site, token) => Jws.Sign(
        site.Keys.Current(Purpose), "at+jwt", JsonSerializer.SerializeToUtf8Bytes(Payload(token, claims =>
        {
            if (value is null) claims.Remove(name);
            else claims[name] = value.DeepClone();
        })));

    private static string Resign(Site site, string token, Action<JsonObject> alter, SigningKey? key = null)
    {
        var parts = token.Split('.');
        var header = JsonNode.Parse(Base64Url.DecodeFromChars(parts[0]))!.AsObject();
        alter(header);
        var signed = $"{Encode(header)}.{parts[1]}";
        var signature = (key ?? site.Keys.Current(Purpose)).Sign(Encoding.ASCII.GetBytes(signed));
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    private static string Unsigned(string token, string algorithm, Func<byte[], byte[]> sign)
    {
        var parts = token.Split('.');
        var header = JsonNode.Parse(Base64Url.DecodeFromChars(parts[0]))!.AsObject();
        header["alg"] = algorithm;
        var signed = $"{Encode(header)}.{parts[1]}";
        return $"{signed}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(signed)))}";
    }

    private static JsonObject Payload(string token, Action<JsonObject> alter)
    {
        var claims = JsonNode.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]))!.AsObject();
        alter(claims);
        return claims;
    }

    private static string Encode(JsonObject json) =>
        Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(json));
}
