using System.Text.Json;

namespace EndToEndTests;

public sealed class ConventionTests(Site site)
{
    [Fact]
    public async Task An_unknown_route_is_a_problem_on_every_port()
    {
        foreach (var door in new[] { site.Public, site.Internal, site.Management })
        {
            foreach (var path in new[] { "/", "/nothing", "/v1", "/v2/surveys", "/v1/surveys/1/2/3/4", "/favicon.ico",
                "/index.html" })
            {
                var answer = (await door.GetAsync(path)).IsProblem("not-found");
                Assert.Equal(path, answer.Member("instance"));
            }
        }
    }

    [Fact]
    public async Task A_sent_trace_is_honoured_and_a_broken_one_is_not()
    {
        const string trace = "0af7651916cd43dd8448eb211c80319c";
        var answer = await site.Public.GetAsync(
            "/nothing", null, ("traceparent", $"00-{trace}-b7ad6b7169203331-01"), ("tracestate", "a=b"));
        Assert.Equal(trace, answer.IsProblem("not-found").Member("traceId"));

        var seen = new HashSet<string> { trace };
        foreach (var broken in new[]
        {
            "", "junk", $"00-{trace}-0000000000000000-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            $"00-{trace}-b7ad6b7169203331", $"ff-{trace}-b7ad6b7169203331-01", new string('a', 5000),
        })
        {
            var own = (await site.Public.GetAsync("/nothing", null, ("traceparent", broken))).IsProblem("not-found");
            Assert.Matches("^[0-9a-f]{32}$", own.Member("traceId"));
            Assert.True(seen.Add(own.Member("traceId")), $"{broken} was taken for a trace.");
        }
    }

    [Fact]
    public async Task Every_answer_has_a_request_id_of_its_own()
    {
        var (survey, voter) = (await site.OpenSurveyAsync(), await site.VoterAsync());
        var answers = new[]
        {
            await site.Public.GetAsync("/v1/surveys"),
            await site.Public.GetAsync("/v1/surveys"),
            await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(0)),
            await site.Public.PostAsync(survey.Votes, null, survey.Ballot(0)),
            await site.Public.SendAsync("OPTIONS", "/v1/surveys", null, null),
            await site.Management.GetAsync("/health/live"),
            await site.Management.GetAsync("/metrics"),
        };

        Assert.Equal(answers.Length, answers.Select(answer => answer.Headers["x-request-id"]).Distinct().Count());
    }

    [Fact]
    public async Task Any_page_may_read_what_is_public()
    {
        var survey = await site.OpenSurveyAsync();
        foreach (var path in new[]
        {
            "/v1/surveys", survey.Public, $"{survey.Public}/results", "/.well-known/jwks.json",
            "/.well-known/openid-configuration", "/v1/surveys/999999998",
        })
        {
            var answer = await site.Public.GetAsync(path, null, ("Origin", "https://anybody.example"));
            Assert.Equal("*", answer.Headers["access-control-allow-origin"]);
            Assert.False(answer.Headers.ContainsKey("access-control-allow-credentials"));
            Assert.Contains("ETag", answer.Headers["access-control-expose-headers"],
                StringComparison.OrdinalIgnoreCase);
            var preflight = await PreflightAsync(site.Public, path, "https://anybody.example", "GET");
            Assert.Equal("*", preflight.Is(204).Headers["access-control-allow-origin"]);
            Assert.Equal("GET", preflight.Headers["access-control-allow-methods"]);
        }
    }

    [Fact]
    public async Task Only_a_configured_page_may_do_more_than_read()
    {
        var survey = await site.OpenSurveyAsync();
        foreach (var (method, path) in new[]
        {
            ("POST", survey.Votes), ("POST", "/v1/auth/refresh"), ("POST", "/v1/auth/google/token"),
            ("POST", "/v1/auth/logout"),
            ("DELETE", "/v1/auth/sessions/x"),
        })
        {
            foreach (var origin in new[]
            {
                "https://anybody.example", "null", "http://vote.example", "https://vote.example.evil",
                "https://vote.example:444",
            })
            {
                var refused = await PreflightAsync(site.Public, path, origin, method);
                Assert.False(refused.Headers.ContainsKey("access-control-allow-origin"),
                    $"{origin} may {method} {path}.");
                var answer = await site.Public.SendAsync(method, path, null, null, ("Origin", origin));
                Assert.False(answer.Headers.ContainsKey("access-control-allow-origin"));
            }

            var allowed = await PreflightAsync(site.Public, path, Site.AllowedOrigin, method);
            Assert.Equal(Site.AllowedOrigin, allowed.Is(204).Headers["access-control-allow-origin"]);
            Assert.Contains(method, allowed.Headers["access-control-allow-methods"], StringComparison.Ordinal);
            Assert.Contains("idempotency-key", allowed.Headers["access-control-allow-headers"],
                StringComparison.OrdinalIgnoreCase);
            var real = await site.Public.SendAsync(method, path, null, Door.Json("{}"), ("Origin", Site.AllowedOrigin));
            Assert.Equal(Site.AllowedOrigin, real.Headers["access-control-allow-origin"]);
            Assert.Contains("Origin", real.Headers["vary"], StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task No_page_may_call_what_is_internal()
    {
        foreach (var origin in new[] { "https://anybody.example", Site.AllowedOrigin })
        {
            var preflight = await PreflightAsync(site.Internal, "/v1/internal/surveys", origin, "GET");
            var answer = await site.Internal.GetAsync("/v1/internal/surveys", site.Manager, ("Origin", origin));
            Assert.False(preflight.Headers.ContainsKey("access-control-allow-origin"));
            Assert.False(answer.IsJson(200).Headers.ContainsKey("access-control-allow-origin"));
        }
    }

    [Fact]
    public async Task HEAD_is_a_GET_without_its_body()
    {
        var survey = await site.OpenSurveyAsync();
        foreach (var path in new[]
        {
            survey.Public, $"{survey.Public}/results", "/.well-known/jwks.json", "/v1/surveys/999999998",
            "/v1/surveys?limit=0",
        })
        {
            var (get, head) = (await site.Public.GetAsync(path), await site.Public.SendAsync("HEAD", path, null, null));
            Assert.Equal(get.Status, head.Status);
            Assert.Equal(get.ContentType, head.ContentType);
            Assert.Equal(get.Headers.GetValueOrDefault("etag"), head.Headers.GetValueOrDefault("etag"));
            Assert.Empty(head.Bytes);
        }
    }

    [Fact]
    public async Task Health_and_metrics_answer_on_the_management_port()
    {
        foreach (var path in new[] { "/health/live", "/health/ready", "/health/startup" })
            (await site.Management.GetAsync(path)).Is(200);
        var metrics = (await site.Management.GetAsync("/metrics")).Is(200);
        Assert.StartsWith("text/plain", metrics.ContentType, StringComparison.Ordinal);
        Assert.Contains("# TYPE ", metrics.Text, StringComparison.Ordinal);
        Assert.Contains("http_server_request_duration_seconds", metrics.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_say_what_votes_became_how_many_wait_and_who_is_watching()
    {
        var survey = await site.OpenSurveyAsync();
        using (await EventStream.OpenAsync(site, survey))
        {
            var voter = await site.VoterAsync();
            (await site.Public.PostAsync(survey.Votes, voter.AccessToken, survey.Ballot(0))).IsJson(202);
            await Site.EventuallyAsync(async () =>
            {
                var metrics = (await site.Management.GetAsync("/metrics")).Is(200).Text;
                return Values(metrics, "voting_outcomes", "outcome=\"counted\"").Sum() >= 1
                    && Values(metrics, "voting_count_lag", "partition=").Count() == 16
                    && Values(metrics, "results_connections", "").Sum() >= 1;
            });
        }

        static IEnumerable<double> Values(string metrics, string name, string label) => metrics.Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal)
                && line.Contains(label, StringComparison.Ordinal))
            .Select(line => double.Parse(line.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task The_keys_are_those_of_a_signer_each_and_tell_no_secret()
    {
        var keys = (await site.Public.GetAsync("/.well-known/jwks.json")).IsJson(200).Json.GetProperty("keys")
            .EnumerateArray().ToArray();
        Assert.Equal(keys.Length, keys.Select(key => key.GetProperty("kid").GetString()).Distinct().Count());
        Assert.Contains(keys, key => key.GetProperty("kty").GetString() == "RSA");
        Assert.Contains(keys, key => key.GetProperty("kty").GetString() == "EC");
        foreach (var key in keys)
        {
            Assert.Equal("sig", key.GetProperty("use").GetString());
            Assert.True(key.GetProperty("alg").GetString() is "RS256" or "ES256");
            foreach (var secret in new[] { "d", "p", "q", "dp", "dq", "qi", "k" }) Assert.False(
                key.TryGetProperty(secret, out _));
        }
    }

    [Fact]
    public async Task The_issuers_metadata_names_issuer_and_keys()
    {
        var answer = (await site.Public.GetAsync("/.well-known/openid-configuration")).IsJson(200);
        Assert.Equal($"{answer.Member("issuer")}/.well-known/jwks.json", answer.Member("jwks_uri"));
        Assert.Equal(JsonValueKind.Array, answer.Json.GetProperty("subject_types_supported").ValueKind);
        var voter = await site.VoterAsync();
        Assert.Equal(answer.Member("issuer"), Jwt.Parse(voter.AccessToken).Claim("iss"));
    }

    private static Task<Answer> PreflightAsync(Door door, string path, string origin, string method) => door.SendAsync(
        "OPTIONS", path, null, null, ("Origin", origin), ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", "authorization,content-type,idempotency-key"));
}
