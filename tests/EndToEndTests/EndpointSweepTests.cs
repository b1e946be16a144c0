using System.Text.Json;
using System.Text.RegularExpressions;

namespace EndToEndTests;

public sealed partial class EndpointSweepTests(Site site)
{
    public static TheoryData<string> PublicEndpoints => [.. Endpoints.Public.Select(endpoint => $"{endpoint}")];

    public static TheoryData<string> InternalEndpoints => [.. Endpoints.Internal.Select(endpoint => $"{endpoint}")];

    [Fact]
    public async Task Each_document_lists_every_endpoint_of_its_port_and_none_of_the_others()
    {
        await AssertDocumentAsync(site.Public, "/openapi/v1.json", Endpoints.Public);
        await AssertDocumentAsync(site.Internal, "/openapi/internal.json", Endpoints.Internal);
    }

    [Fact]
    public async Task Each_document_has_a_page_beside_it_that_reads_it()
    {
        foreach (var (door, path) in new[] { (site.Public, "/openapi/v1"), (site.Internal, "/openapi/internal") })
        {
            var page = await door.GetAsync(path);
            if (page.Status is 301 or 302)
                page = await door.GetAsync(new Uri(new Uri(door.Address, path), page.Headers["location"]).AbsolutePath);
            page.Is(200);
            Assert.StartsWith("text/html", page.ContentType, StringComparison.Ordinal);
            Assert.Contains($"{path[1..]}.json", page.Text, StringComparison.Ordinal);
        }
    }

    [Theory, MemberData(nameof(PublicEndpoints))]
    public async Task A_public_endpoint_says_who_may_call_it(string name)
    {
        var endpoint = Endpoints.Find(name);
        var body = endpoint.TakesBody ? "{}" : null;
        var bare = await SendAsync(site.Public, endpoint, null, body);

        if (endpoint.Caller is Caller.Anybody)
        {
            Assert.NotEqual(401, endpoint.TakesBody ? 0 : bare.Status);
            return;
        }

        Assert.Equal("Bearer", bare.IsProblem("unauthenticated").IsNotStored().Headers["www-authenticate"]);
        foreach (var role in new[] { "manager", "admin" })
        {
            var answer = await SendAsync(site.Public, endpoint, await site.Installation.StaffTokenAsync(role), body);
            Assert.Contains("error=", answer.IsProblem("unauthenticated").Headers["www-authenticate"],
                StringComparison.Ordinal);
        }
    }

    [Theory, MemberData(nameof(InternalEndpoints))]
    public async Task An_internal_endpoint_says_which_staff_may_call_it(string name)
    {
        var endpoint = Endpoints.Find(name);
        var body = endpoint.TakesBody ? "{}" : null;
        var bare = await SendAsync(site.Internal, endpoint, null, body);
        Assert.Equal("Bearer", bare.IsProblem("unauthenticated").IsNotStored().Headers["www-authenticate"]);
        var voter = await site.VoterAsync();
        (await SendAsync(site.Internal, endpoint, voter.AccessToken, body)).IsProblem("unauthenticated");

        foreach (var role in new[] { "manager", "investigator", "auditor", "admin" })
        {
            var answer = await SendAsync(site.Internal, endpoint, await site.Installation.StaffTokenAsync(role), body);
            var isRefused = endpoint.Caller switch
            {
                Caller.Manager => role is "investigator" or "auditor",
                Caller.Auditor => role is "manager" or "investigator",
                _ => false,
            };
            if (isRefused) answer.IsProblem("forbidden").IsNotStored();
            else Assert.True(answer.Status is 200 or 400 or 404, $"{endpoint} answered {role} {answer.Status}.");
        }
    }

    [Fact]
    public async Task Nothing_internal_answers_on_the_public_port_and_no_405_tells_of_it()
    {
        var token = await site.Installation.StaffTokenAsync("admin");
        foreach (var path in Endpoints.Internal.Select(endpoint => endpoint.Example).Concat(Endpoints.InternalPages)
            .Concat(Endpoints.Management).Concat(["/v1/internal", "/v1/internal/", "/v1/internal/accounts"]).Distinct())
        {
            foreach (var method in new[] { "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE",
                "PURGE" })
                await AssertNothingAsync(site.Public, method, path, token);

            await AssertNothingAsync(site.Public, "GET", path.ToUpperInvariant(), token);
            await AssertNothingAsync(site.Public, "GET", $"/{path}", token);
            await AssertNothingAsync(site.Public, "GET",
                path.Replace("/internal", "/%69nternal", StringComparison.Ordinal), token);
            await AssertNothingAsync(site.Public, "GET", $"/v1/surveys/..{path}", token);
            foreach (var host in new[] { site.Internal.Address.Authority, site.Management.Address.Authority,
                "localhost" })
            {
                await AssertNothingAsync(
                    site.Public, "GET", path, token, ("Host", host), ("X-Forwarded-Host", host),
                    ("X-Original-URL", path),
                    ("X-Forwarded-Port", $"{site.Internal.Address.Port}"), ("Forwarded", $"host={host}"));
            }
        }
    }

    [Fact]
    public async Task Nothing_public_answers_on_the_internal_or_the_management_port()
    {
        var voter = await site.VoterAsync();
        foreach (var door in new[] { site.Internal, site.Management })
        {
            foreach (var path in Endpoints.Public.Select(endpoint => endpoint.Example).Concat(Endpoints.PublicPages)
                .Distinct())
            {
                foreach (var method in new[] { "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS" })
                    await AssertNothingAsync(door, method, path, voter.AccessToken);
                await AssertNothingAsync(
                    door, "GET", path, voter.AccessToken, ("Host", site.Public.Address.Authority));
            }
        }

        var staff = await site.Installation.StaffTokenAsync("admin");
        foreach (var path in Endpoints.Internal.Select(endpoint => endpoint.Example).Concat(Endpoints.InternalPages)
            .Distinct())
            await AssertNothingAsync(site.Management, "GET", path, staff);
        foreach (var path in Endpoints.Management) await AssertNothingAsync(site.Internal, "GET", path, staff);
    }

    [Fact]
    public async Task A_process_in_role_api_opens_no_internal_port()
    {
        await using var host = await site.Installation.StartHostAsync(
            "api", new Dictionary<string, string> { ["Voting__Reservations"] = "in-process" },
            TestContext.Current.CancellationToken);

        Assert.True(host.IsPublic);
        Assert.False(host.IsInternal);
        var door = new Door(host.Public);
        (await door.GetAsync("/v1/surveys")).IsJson(200);
        (await door.GetAsync("/v1/internal/surveys", site.Manager)).IsProblem("not-found");
        (await door.GetAsync("/openapi/internal.json")).IsProblem("not-found");
        var ended = await host.TerminateAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, ended);
    }

    [Fact]
    public async Task Another_method_is_405_and_says_which_there_are()
    {
        foreach (var endpoint in Endpoints.All.DistinctBy(endpoint => endpoint.Path))
        {
            var internally = endpoint.Path.StartsWith("/v1/internal", StringComparison.Ordinal);
            var known = Endpoints.All.Where(other => other.Path == endpoint.Path).Select(other => other.Method);
            foreach (var method in new[] { "PATCH", "OPTIONS" })
            {
                var answer = await (internally ? site.Internal : site.Public)
                    .SendAsync(method, endpoint.Example, null, null);
                var allowed = answer.IsProblem("method-not-allowed").Headers["allow"];
                Assert.Subset(allowed.Split(", ").ToHashSet(), known.ToHashSet());
            }
        }
    }

    private static Task<Answer> SendAsync(Door door, Endpoint endpoint, string? token, string? body) =>
        door.SendAsync(endpoint.Method, endpoint.Example, token, body is null ? null : Door.Json(body));

    private static async Task AssertNothingAsync(
        Door door, string method, string path, string token, params (string, string)[] headers)
    {
        var answer = await door.SendAsync(method, path, token, null, headers);
        var nothing = await door.SendAsync(method, "/v1/nothing-is-here", token, null, headers);
        Assert.True(Shape(answer) == Shape(nothing), $"{method} {path} answered {answer.Status}: {answer.Text}");
        answer.Is(404);
    }

    // Whoever asks must not see a difference to an address where there is nothing, but what he said himself.
    private static string Shape(Answer answer)
    {
        var headers = answer.Headers.Where(header => header.Key is not ("x-request-id" or "date" or "content-length"))
            .Select(header => $"{header.Key}={header.Value}").Order(StringComparer.Ordinal);
        var body = answer.Bytes.Length == 0 ? []
            : answer.Json.EnumerateObject().Where(member => member.Name is not ("instance" or "traceId"))
            .Select(member => member.Value.GetRawText());
        return $"{answer.Status} {string.Join(' ', headers)} {string.Join(' ', body)}";
    }

    private static async Task AssertDocumentAsync(Door door, string path, Endpoint[] expected)
    {
        var document = (await door.GetAsync(path)).IsJson(200).Json;
        Assert.StartsWith("3.1.", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        var listed = document.GetProperty("paths").EnumerateObject().SelectMany(place => place.Value.EnumerateObject()
            .Where(member => member.Value.ValueKind == JsonValueKind.Object && member.Name is not "parameters")
            .Select(method => $"{method.Name.ToUpperInvariant()} {Parameter().Replace(place.Name, "{}")}"));
        Assert.Equal(
            expected.Select(endpoint => endpoint.ToString()).Order(StringComparer.Ordinal),
            listed.Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"\{[^}]*\}", RegexOptions.None, 1000)]
    private static partial Regex Parameter();
}
