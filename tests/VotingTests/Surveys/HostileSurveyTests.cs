using System.Net.Http.Headers;
using System.Text;

namespace VotingTests;

/// <summary>Bodies and addresses that nobody would send who meant well: refused, and never our fault.</summary>
public sealed class HostileSurveyTests(SharedSurveys shared) : IClassFixture<SharedSurveys>
{
    private static readonly Dictionary<string, byte[]> Bad = new()
    {
        ["nothing"] = [],
        ["null"] = Utf8("null"),
        ["a number"] = Utf8("1"),
        ["a huge number"] = Utf8(new string('9', 10_000)),
        ["a string"] = Utf8("\"x\""),
        ["an array"] = Utf8("[]"),
        ["an empty object"] = Utf8("{}"),
        ["no JSON"] = Utf8("title=x"),
        ["half an object"] = Utf8("""{"title":"x","questions":["""),
        ["two objects"] = Utf8(Bodies.Survey().ToJsonString() + "{}"),
        ["a comment"] = Utf8("/* x */" + Bodies.Survey().ToJsonString()),
        ["a trailing comma"] = Utf8("""{"title":"x",}"""),
        ["NaN"] = Utf8("""{"title":"x","questions":[],"liveBatchMin":NaN}"""),
        ["a member twice"] = Utf8("""{"title":"x","title":"y","questions":[]}"""),
        ["a member of a question twice"] =
            Utf8(Bodies.Survey().ToJsonString().Replace("\"min\":1", "\"min\":1,\"min\":0")),
        ["bad UTF-8 in a title"] = [.. Utf8("{\"title\":\""), 0xC3, 0x28, .. Utf8("\",\"questions\":[]}")],
        ["bad UTF-8 in a name"] = [.. Utf8("{\""), 0xFF, 0xFE, .. Utf8("\":1}")],
        ["overlong UTF-8"] = [.. Utf8("{\"title\":\""), 0xC0, 0x80, .. Utf8("\",\"questions\":[]}")],
        ["UTF-16"] =
            Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes(Bodies.Survey().ToJsonString())).ToArray(),
        ["a lone surrogate in a title"] = Utf8(Bodies.Survey().ToJsonString().Replace("Elections Survey", "\\ud800")),
        ["a lone low surrogate in a text"] = Utf8(Bodies.Survey().ToJsonString().Replace("Ned Flanders", "x\\udc00")),
        ["a lone surrogate in an id"] =
            Utf8(Bodies.Survey().ToJsonString().Replace("\"min\"", "\"id\":\"\\udfff\",\"min\"")),
        ["a lone surrogate in a time"] = Utf8("""{"title":"x","questions":[],"opensAt":"\ud800"}"""),
        ["a lone surrogate in a name"] = Utf8("""{"title":"x","\ud800":1}"""),
        ["a lone surrogate in a country"] =
            Utf8("""{"title":"x","questions":[],"eligibility":{"countries":["\udc00"]}}"""),
        ["U+0000 in an id"] = Utf8(Bodies.Survey().ToJsonString().Replace("\"min\"", "\"id\":\"\\u0000\",\"min\"")),
        ["deep arrays"] = Utf8(new string('[', 20_000) + new string(']', 20_000)),
        ["deep objects"] = Utf8(string.Concat(Enumerable.Repeat("{\"title\":", 5_000))),
        ["thousands of questions"] =
            Utf8($$"""{"title":"x","questions":[{{string.Join(',', Enumerable.Repeat("null", 12_000))}}]}"""),
        ["thousands of empty options"] = Utf8(Bodies.Survey().ToJsonString().Replace(
            "\"options\":[",
            "\"options\":[" + string.Concat(Enumerable.Repeat("{\"text\":\"\",\"order\":0},", 2_000)))),
        ["thousands of members"] =
            Utf8($$"""{"title":"x",{{string.Join(',', Enumerable.Range(0, 4_000).Select(i => $"\"m{i}\":{i}"))}}}"""),
        ["a number with an exponent"] = Utf8(Bodies.Survey().ToJsonString().Replace("\"max\":2", "\"max\":1e400")),
        ["a number with a thousand digits"] =
            Utf8(Bodies.Survey().ToJsonString().Replace("\"max\":2", "\"max\":" + new string('1', 1_000))),
        ["negative zero"] = Utf8(Bodies.Survey().ToJsonString().Replace("\"max\":2", "\"max\":-0.0")),
        ["a prototype"] = Utf8("""{"__proto__":{},"title":"x","questions":[]}"""),
        ["a type"] = Utf8("""{"$type":"System.IO.FileInfo","title":"x","questions":[]}"""),
        ["a reference"] = Utf8("""{"$id":"1","title":"x","questions":[{"$ref":"1"}]}"""),
    };

    public static TheoryData<string> Names => [.. Bad.Keys];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(Names))]
    public async Task A_bad_body_is_refused_and_stores_nothing(string name)
    {
        var survey = await shared.Host.CreateAsync();
        var before = await shared.Host.ScalarAsync<long>("SELECT value FROM voting.survey_revision");

        // In an update an id is a member, if not one that the survey has.
        var (status, code) = name == "U+0000 in an id" ? (422, "invalid-survey") : (400, "malformed-request");
        await (await PostAsync(Bad[name])).ProblemAsync(400, "malformed-request");
        await (await SendAsync(HttpMethod.Put, $"/v1/internal/surveys/{survey["id"]}", Bad[name]))
            .ProblemAsync(status, code);

        Assert.Equal(before, await shared.Host.ScalarAsync<long>("SELECT value FROM voting.survey_revision"));
    }

    [Fact]
    public async Task A_body_over_64_KiB_is_too_large_even_when_it_is_all_white_space()
    {
        var body = Utf8(Bodies.Survey().ToJsonString());
        byte[] fits = [.. body, .. Enumerable.Repeat((byte)' ', 64 * 1024 - body.Length)];

        Assert.Equal(HttpStatusCode.Created, (await PostAsync(fits)).StatusCode);
        await (await PostAsync([.. fits, (byte)' '])).ProblemAsync(413, "payload-too-large");
    }

    [Fact]
    public async Task A_body_over_64_KiB_of_unsaid_length_is_too_large()
    {
        using var content = new PushedContent(200 * 1024);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/internal/surveys") { Content = content };

        await (await shared.Host.Manager.SendAsync(request, Cancel)).ProblemAsync(413, "payload-too-large");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("text/plain")]
    [InlineData("application/xml")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data; boundary=x")]
    public async Task A_body_of_another_media_type_is_refused(string? type) =>
        await (await SendAsync(HttpMethod.Post, "/v1/internal/surveys", Utf8(Bodies.Survey().ToJsonString()), type))
            .ProblemAsync(415, "unsupported-media-type");

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=101")]
    [InlineData("limit=-1")]
    [InlineData("limit=010")]
    [InlineData("limit=1.5")]
    [InlineData("limit=")]
    [InlineData("limit=abc")]
    [InlineData("limit=99999999999999999999")]
    [InlineData("limit=1&limit=1")]
    [InlineData("cursor=")]
    [InlineData("cursor=abc")]
    [InlineData("cursor=AAAAAAAAAAAAAAAA")]
    [InlineData("cursor=_________________")]
    [InlineData("cursor=________________")]
    [InlineData("cursor=AAAAAAAAAAAAAAA%20")]
    [InlineData("cursor=AAAAAAAAAAAAAAA%3D")]
    [InlineData("cursor=%27%3B%20DROP%20TABLE")]
    [InlineData("cursor=AAAAAAAAAAAAAAAB&cursor=AAAAAAAAAAAAAAAB")]
    public async Task A_bad_cursor_or_limit_is_malformed(string query)
    {
        await (await shared.Host.Public.GetAsync($"/v1/surveys?{query}", Cancel))
            .ProblemAsync(400, "malformed-request");
        await (await shared.Host.Manager.GetAsync($"/v1/internal/surveys?{query}", Cancel))
            .ProblemAsync(400, "malformed-request");
    }

    [Theory]
    [InlineData("PATCH", "/v1/internal/surveys/1")]
    [InlineData("DELETE", "/v1/internal/surveys")]
    [InlineData("POST", "/v1/internal/surveys/1/publish")]
    [InlineData("GET", "/v1/internal/surveys/1/finish")]
    public async Task Another_method_is_not_for_this_address(string method, string path)
    {
        using var request = new HttpRequestMessage(new(method), path);

        await (await shared.Host.Manager.SendAsync(request, Cancel)).ProblemAsync(405, "method-not-allowed");
    }

    private Task<HttpResponseMessage> PostAsync(byte[] body) =>
        SendAsync(HttpMethod.Post, "/v1/internal/surveys", body);

    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, byte[] body, string? type = "application/json")
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type);
        using var request = new HttpRequestMessage(method, path) { Content = content };
        return await shared.Host.Manager.SendAsync(request, Cancel);
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>So many spaces, without a Content-Length.</summary>
    private sealed class PushedContent : HttpContent
    {
        private readonly int _sizeBytes;

        public PushedContent(int sizeBytes)
        {
            _sizeBytes = sizeBytes;
            Headers.ContentType = new("application/json");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            for (var sent = 0; sent < _sizeBytes; sent += 1_024)
                await stream.WriteAsync(Enumerable.Repeat((byte)' ', 1_024).ToArray(), Cancel);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
