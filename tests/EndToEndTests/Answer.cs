using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace EndToEndTests;

/// <summary>What came back, read whole.</summary>
public sealed partial class Answer
{
    private const int ProblemSizeBytesMax = 16 * 1024;

    /// <summary>Titles and statuses that the contract gives to its problem types; 0 where it gives none.</summary>
    private static readonly Dictionary<string, int> Problems = new()
    {
        ["malformed-request"] = 400,
        ["payload-too-large"] = 413,
        ["unsupported-media-type"] = 415,
        ["method-not-allowed"] = 405,
        ["not-found"] = 404,
        ["unauthenticated"] = 401,
        ["forbidden"] = 403,
        ["invalid-survey"] = 422,
        ["invalid-ballot"] = 422,
        ["idempotency-key-reused"] = 422,
        ["survey-not-draft"] = 409,
        ["survey-not-open"] = 409,
        ["session-finished"] = 409,
        ["duplicate-vote"] = 409,
        ["results-hidden"] = 403,
        ["not-eligible"] = 403,
        ["quota-exceeded"] = 429,
        ["overloaded"] = 503,
        ["outcome-unknown"] = 503,
        ["provider-unavailable"] = 503,
    };

    private readonly string _what;
    private readonly Lazy<JsonElement> _json;

    private readonly bool _hadToken;

    private Answer(string what, int status, byte[] bytes, Dictionary<string, string> headers, bool hadToken)
    {
        _hadToken = hadToken;
        (_what, Status, Bytes, Headers) = (what, status, bytes, headers);
        Text = Encoding.UTF8.GetString(bytes);
        _json = new(() => JsonDocument.Parse(Text).RootElement);
    }

    public int Status { get; }

    public byte[] Bytes { get; }

    public string Text { get; }

    public JsonElement Json => _json.Value;

    /// <summary>By name in lower case, several values of one joined by commas.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    public string? ContentType => Headers.GetValueOrDefault("content-type");

    /// <summary>Reads an answer of the platform, and holds it to what holds for all of them.</summary>
    public static async Task<Answer> ReadAsync(string what, HttpResponseMessage response, bool hadToken)
    {
        var headers = response.Headers.Concat(response.Content.Headers)
            .ToDictionary(header => header.Key.ToLowerInvariant(), header => string.Join(", ", header.Value));
        var bytes = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        return Of(what, (int)response.StatusCode, bytes, headers, hadToken);
    }

    public static Answer Of(
        string what, int status, byte[] bytes, Dictionary<string, string> headers, bool hadToken = false)
    {
        var answer = new Answer(what, status, bytes, headers, hadToken);
        Assert.True(status != 500, $"{what} answered 500: {answer.Text}");
        Assert.True(headers.GetValueOrDefault("x-request-id") is { Length: > 0 }, $"{what} has no X-Request-Id.");
        Assert.False(headers.ContainsKey("server"), $"{what} names its server.");
        if (status >= 400) Assert.True(!Leak().IsMatch(answer.Text), $"{what} tells of its insides: {answer.Text}");
        return answer;
    }

    /// <summary>Asserts a status.</summary>
    public Answer Is(int status)
    {
        Assert.True(Status == status, $"{_what} answered {Status}, not {status}: {Text}");
        return this;
    }

    /// <summary>Asserts a problem document of the contract, with everything that such a one has.</summary>
    public Answer IsProblem(string code)
    {
        Is(Problems[code]);
        Assert.True(ContentType == "application/problem+json", $"{_what} is of type {ContentType}: {Text}");
        Assert.True(Member("type") == $"https://errors.voting/{code}", $"{_what} is not {code}: {Text}");
        Assert.Equal(Status, Json.GetProperty("status").GetInt32());
        if (_hadToken) Assert.True(Headers.GetValueOrDefault("cache-control") == "no-store", $"{_what} may be stored.");
        // What refuses must not cost more than what it refuses.
        Assert.True(Bytes.Length <= ProblemSizeBytesMax, $"{_what} is answered with {Bytes.Length} bytes.");
        foreach (var name in new[] { "title", "detail", "instance", "traceId" })
            Assert.False(string.IsNullOrWhiteSpace(Member(name)), $"{_what} has no {name}: {Text}");
        Assert.True(
            Member("instance").StartsWith('/') && Uri.IsWellFormedUriString(Member("instance"), UriKind.Relative),
            Text);
        foreach (var member in Json.EnumerateObject())
        {
            string[] known = ["type", "title", "status", "detail", "instance", "traceId", "errors", .. Extra(code)];
            Assert.Contains(member.Name, known);
        }

        switch (Status)
        {
            case 401:
                Assert.Matches("^Bearer( error=\"[a-z_]+\")?$", Headers["www-authenticate"]);
                break;
            case 429:
                Assert.InRange(Number("retry-after"), 1, 3600);
                Assert.Matches("^\"[a-z]+\";q=[0-9]+;w=[0-9]+$", Headers["ratelimit-policy"]);
                Assert.Matches("^\"[a-z]+\";r=[0-9]+;t=[0-9]+$", Headers["ratelimit"]);
                break;
            case 503:
                Assert.InRange(Number("retry-after"), 1, 3600);
                break;
        }

        return this;
    }

    /// <summary>Asserts that <c>errors</c> names exactly these members, each with a message.</summary>
    public Answer Names(params string[] members)
    {
        var errors = Json.GetProperty("errors");
        Assert.Equal(members.Order(StringComparer.Ordinal), errors.EnumerateObject().Select(error => error.Name)
            .Order(StringComparer.Ordinal));
        foreach (var error in errors.EnumerateObject())
        {
            Assert.NotEqual(0, error.Value.GetArrayLength());
            Assert.All(error.Value.EnumerateArray(), message =>
                Assert.False(string.IsNullOrWhiteSpace(message.GetString())));
        }

        return this;
    }

    /// <summary>Asserts a JSON answer with that status.</summary>
    public Answer IsJson(int status)
    {
        Is(status);
        Assert.StartsWith("application/json", ContentType, StringComparison.Ordinal);
        return this;
    }

    public Answer IsNotStored()
    {
        Assert.Equal("no-store", Headers["cache-control"]);
        return this;
    }

    /// <returns>The string member.</returns>
    public string Member(string name) => Json.GetProperty(name).GetString()!;

    public int Number(string header) => int.Parse(Headers[header], CultureInfo.InvariantCulture);

    private static string[] Extra(string code) => code == "duplicate-vote" ? ["voteId"] : [];

    [GeneratedRegex(
        @"\bat [A-Z]\w*\.|System\.|Microsoft\.|Npgsql|Exception|\b(Platform|Voting|Identity|Results|Audit|Host)\.[A-Z]|"
        + @"SELECT |INSERT |UPDATE |\.cs\b|/src/|BytePosition|LineNumber|"
        + "CastVoteRequest|SurveyBody|SignInRequest|Utf8Json",
        RegexOptions.None, 1000)]
    private static partial Regex Leak();
}
