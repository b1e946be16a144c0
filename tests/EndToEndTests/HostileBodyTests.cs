using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;

namespace EndToEndTests;

/// <summary>Bodies that no client of ours would send, to every endpoint that reads one.</summary>
public sealed partial class HostileBodyTests(Site site)
{
    private const int SizeBytesMax = 64 * 1024;

    public static TheoryData<string> TakingBodies =>
        [.. Endpoints.All.Where(endpoint => endpoint.TakesBody).Select(endpoint => $"{endpoint}")];

    [Theory, MemberData(nameof(TakingBodies))]
    public async Task What_is_no_JSON_of_the_asked_form_is_malformed(string name)
    {
        var target = await TargetAsync(name);
        foreach (var body in new[]
        {
            "", " ", "null", "true", "1", "\"text\"", "[]", "[{}]", "{", "}", "{]", "{\"", "{}{}", "{} x", "{\"a\":}",
            "{'a':1}", "{\"a\":1,}", "/* no */ {}", "{\"unknown\":1}", "NaN", "\u00a0{}", "{}\0", "undefined",
            "{\"__proto__\":{}}", "{\"$type\":\"System.Object\"}", "{\"$ref\":\"1\"}", "{\"$id\":\"1\"}", "{\"\":1}",
        })
        {
            (await SendAsync(target, Encoding.UTF8.GetBytes(body))).IsProblem("malformed-request");
        }
    }

    [Theory, MemberData(nameof(TakingBodies))]
    public async Task Every_member_is_held_to_its_type(string name)
    {
        var target = await TargetAsync(name);
        foreach (var (member, path) in Members(target.Good))
        {
            foreach (var wrong in Wrong(target.Good, member))
            {
                var answer = await SendAsync(target, Encoding.UTF8.GetBytes(wrong));
                Assert.True(answer.Status is 400, $"{target.Endpoint}: {wrong} got {answer.Status} {answer.Text}");
                answer.IsProblem("malformed-request");
                Assert.False(string.IsNullOrEmpty(path));
            }
        }

        foreach (var spoilt in new[]
        {
            $"{{\"extra\":1,{target.Good[1..]}", $"{target.Good[..^1]},\"extra\":{{}}}}",
            target.Good.Replace("\":", "\" :1,\"", StringComparison.Ordinal),
            $"{target.Good[..^1]},{target.Good[1..]}",
        })
        {
            (await SendAsync(target, Encoding.UTF8.GetBytes(spoilt))).IsProblem("malformed-request");
        }
    }

    [Theory, MemberData(nameof(TakingBodies))]
    public async Task Text_that_is_no_Unicode_is_malformed(string name)
    {
        var target = await TargetAsync(name);
        var good = Encoding.UTF8.GetBytes(target.Good);
        var place = target.Good.IndexOf("MARK", StringComparison.Ordinal);
        foreach (var bad in new byte[][]
        {
            [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82], [0x80], [0x00], [0x1f],
            "\\ud800"u8.ToArray(), "\\udc00x"u8.ToArray(), "\\ud800\\ud800"u8.ToArray(), "\\u12"u8.ToArray(),
            "\\x"u8.ToArray(),
        })
        {
            (await SendAsync(target, [.. good[..place], .. bad, .. good[place..]])).IsProblem("malformed-request");
            (await SendAsync(target, [.. "{\"a"u8, .. bad, .. "\":1}"u8])).IsProblem("malformed-request");
        }

        foreach (var encoding in new Encoding[] { Encoding.Unicode, Encoding.BigEndianUnicode, Encoding.UTF32 })
        {
            (await SendAsync(target, [.. encoding.GetPreamble(), .. encoding.GetBytes(target.Good)]))
                .IsProblem("malformed-request");
        }
    }

    [Theory, MemberData(nameof(TakingBodies))]
    public async Task What_is_too_large_is_told_so_however_it_is_sent(string name)
    {
        var target = await TargetAsync(name);
        var padding = new string(' ', SizeBytesMax + 1024);
        foreach (var large in new[]
        {
            $"{target.Good}{padding}", $"{padding}{target.Good}", $"{{\"a\":\"{padding}\"}}",
            new string('[', SizeBytesMax + 1),
        })
        {
            var bytes = Encoding.UTF8.GetBytes(large);
            var whole = await SendAsync(target, bytes);
            whole.IsProblem("payload-too-large");
            var answer = await SendAsync(target, bytes, chunked: true);
            Assert.True(answer.Status is 413 || (answer.Status is 400 && large[0] is '[' or '{'), answer.Text);
            answer.IsProblem(answer.Status is 413 ? "payload-too-large" : "malformed-request");
        }

        (await SendAsync(target, Encoding.UTF8.GetBytes(target.Good + padding), chunked: true))
            .IsProblem("payload-too-large");
    }

    [Theory, MemberData(nameof(TakingBodies))]
    public async Task What_is_too_deep_too_many_or_too_big_a_number_is_malformed(string name)
    {
        var target = await TargetAsync(name);
        foreach (var body in new[]
        {
            $"{new string('[', 5000)}{new string(']', 5000)}",
            Many("{\"a\":", 5000) + "1" + new string('}', 5000),
            $"{{\"answers\":{new string('[', 100)}{new string(']', 100)}}}",
            $"{{\"questions\":{Many("[{\"options\":", 20)}1{Many("}]", 20)}}}",
            $"{{{string.Join(',', Enumerable.Range(0, 3000).Select(i => $"\"m{i}\":{i}"))}}}",
            $"[{string.Join(',', Enumerable.Repeat("{}", 10_000))}]",
        })
        {
            (await SendAsync(target, Encoding.UTF8.GetBytes(body))).IsProblem("malformed-request");
        }

        foreach (var number in new[] { "1e400", "-1e400", "1e-400", $"1{new string('0', 30)}", new string('9', 5000),
            "0x1", "01", "1.", ".5", "+1" })
        {
            foreach (var (member, _) in Members(target.Good))
            {
                var body = target.Good.Replace(member, $"\"{Name(member)}\":{number}", StringComparison.Ordinal);
                (await SendAsync(target, Encoding.UTF8.GetBytes(body))).IsProblem("malformed-request");
            }
        }
    }

    [Theory, MemberData(nameof(TakingBodies))]
    public async Task A_name_of_the_callers_own_making_does_not_come_back_larger(string name)
    {
        var target = await TargetAsync(name);
        foreach (var part in new[] { "<", "'", "\u00e9", "\U0001f5f3" })
        {
            var own = Many(part, 60_000 / Encoding.UTF8.GetByteCount(part));
            (await SendAsync(target, Encoding.UTF8.GetBytes($"{{\"{own}\":1}}"))).IsProblem("malformed-request");
        }
    }

    [Fact]
    public async Task A_ballot_full_of_errors_gets_no_more_of_them_back_than_can_be_read()
    {
        var question = """{"title":"Q","min":1,"max":1,"order":N,"options":"""
            + """[{"text":"A","order":0},{"text":"B","order":1}]}""";
        var questions = Enumerable.Range(0, 50).Select(i => question.Replace("N", $"{i}", StringComparison.Ordinal));
        var survey = await site.OpenSurveyAsync($$"""{"title":"T","questions":[{{string.Join(',', questions)}}]}""");
        var voter = await site.VoterAsync();
        var options = string.Join(',', Enumerable.Repeat("\"0\"", 305));
        foreach (var asked in new Func<int, string>[] { survey.Question, _ => survey.Question(0), _ => "999999999" })
        {
            var answers = Enumerable.Range(0, 50)
                .Select(i => $$"""{"question":"{{asked(i)}}","options":[{{options}}]}""");
            var answer = (await site.Public.PostAsync(
                survey.Votes, voter.AccessToken, $$"""{"answers":[{{string.Join(',', answers)}}]}"""))
                .IsProblem("invalid-ballot");
            Assert.InRange(answer.Json.GetProperty("errors").EnumerateObject().Count(), 1, 50);
        }
    }

    [Theory, MemberData(nameof(TakingBodies))]
    public async Task A_body_that_is_no_JSON_by_its_head_is_not_taken(string name)
    {
        var target = await TargetAsync(name);
        var good = Encoding.UTF8.GetBytes(target.Good);
        foreach (var type in new[]
        {
            null, "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/octet-stream", "application/jsonx", "application/json; charset=utf-16",
            "application/json; charset=iso-8859-1",
        })
        {
            (await SendAsync(target, good, type)).IsProblem("unsupported-media-type");
        }

        using var zipped = new MemoryStream();
        await using (var gzip = new GZipStream(zipped, CompressionLevel.Fastest, leaveOpen: true))
            await gzip.WriteAsync(good, TestContext.Current.CancellationToken);
        foreach (var (encoding, body) in new[]
        {
            ("gzip", zipped.ToArray()), ("gzip", good), ("gzip", [0x1f, 0x8b, 0, 0]), ("br", good), ("deflate", good),
            ("zstd", good),
        })
        {
            (await SendAsync(target, body, encoding: encoding)).IsProblem("unsupported-media-type");
        }
    }

    private async Task<Target> TargetAsync(string name)
    {
        var endpoint = Endpoints.Find(name);
        if (endpoint.Caller is Caller.Manager)
        {
            var path = endpoint.Method == "POST" ? endpoint.Path : (await site.DraftAsync()).Internal;
            return new(endpoint, site.Internal, path, site.Manager,
                """{"title":"MARK","questions":[{"title":"Q","min":0,"max":1,"order":0,"options":"""
                + """[{"text":"A","order":0},{"text":"B","order":1}]}]}""");
        }

        if (endpoint.Caller is Caller.Voter)
        {
            var survey = await site.OpenSurveyAsync();
            var voter = await site.VoterAsync();
            var path = endpoint.Path.Replace("{}", survey.Id, StringComparison.Ordinal);
            // The second answer makes the ballot break a rule, so that even this one is never recorded.
            return new(endpoint, site.Public, path, voter.AccessToken,
                endpoint.Path.EndsWith("/votes", StringComparison.Ordinal)
                ? $$"""{"answers":[{"question":"{{survey.Question(0)}}","options":["999999999"],"text":"MARK"}]}"""
                : $$"""{"question":"{{survey.Question(0)}}","option":"999999999","text":"MARK"}""");
        }

        return new(endpoint, site.Public, endpoint.Example, null,
            endpoint.Path.EndsWith("/token", StringComparison.Ordinal)
            ? """{"idToken":"MARK","nonce":"n"}""" : """{"refreshToken":"MARK"}""");
    }

    private static async Task<Answer> SendAsync(
        Target target, byte[] body, string? type = "application/json", bool chunked = false, string? encoding = null)
    {
        using var content = Door.Bytes(body, type);
        if (encoding is not null) content.Headers.ContentEncoding.Add(encoding);
        return chunked
            ? await target.Door.SendAsync(
                target.Endpoint.Method, target.Path, target.Token, content, ("Transfer-Encoding", "chunked"))
            : await target.Door.SendAsync(target.Endpoint.Method, target.Path, target.Token, content);
    }

    private static string Many(string part, int count) => string.Concat(Enumerable.Repeat(part, count));

    /// <returns>Every scalar member of a body as it is written, and its name.</returns>
    private static (string Member, string Path)[] Members(string json)
    {
        return [.. Scalar().Matches(json).Select(member => (member.Value, Name(member.Value))).Distinct()];
    }

    private static string Name(string member) => member[1..member.IndexOf("\":", StringComparison.Ordinal)];

    private static IEnumerable<string> Wrong(string good, string member)
    {
        string[] values = member.EndsWith('"')
            ? ["1", "true", "[]", "{}", "[\"a\"]", "1.5"]
            : ["\"1\"", "true", "[]", "{}", "null", "1.5", "2147483648", "1e0000000001"];
        foreach (var value in values)
            yield return good.Replace(member, $"\"{Name(member)}\":{value}", StringComparison.Ordinal);
        yield return good.Replace(member, $"{member},{member}", StringComparison.Ordinal);
    }

    private sealed record Target(Endpoint Endpoint, Door Door, string Path, string? Token, string Good);

    [GeneratedRegex("\"[a-zA-Z]+\":(\"[^\"]*\"|[0-9]+)", RegexOptions.None, 1000)]
    private static partial Regex Scalar();
}
