using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace VotingTests;

/// <summary>Every rule of a survey's body, each seen to refuse and to let pass.</summary>
public sealed class SurveyRulesTests(SharedSurveys shared) : IClassFixture<SharedSurveys>
{
    private const string Ballot = "\U0001F5F3";

    /// <summary>What breaks the form: 400, with the path of the fault where it is in a member.</summary>
    private static readonly Dictionary<string, (Action<JsonObject> Change, string? Path)> Malformed = new()
    {
        ["no title"] = (body => body.Remove("title"), null),
        ["no questions"] = (body => body.Remove("questions"), null),
        ["no min"] = (body => body.Question().Remove("min"), "questions[0]"),
        ["no max"] = (body => body.Question().Remove("max"), "questions[0]"),
        ["no order"] = (body => body.Question().Remove("order"), "questions[0]"),
        ["no options"] = (body => body.Question().Remove("options"), "questions[0]"),
        ["no text"] = (body => body.Option(1).Remove("text"), "questions[0].options[1]"),
        ["null title"] = (body => body["title"] = null, "title"),
        ["null questions"] = (body => body["questions"] = null, "questions"),
        ["null question"] = (body => body["questions"]!.AsArray().Add(null), "questions[1]"),
        ["null option"] = (body => body.Question()["options"]!.AsArray().Add(null), "questions[0].options[2]"),
        ["null min"] = (body => body.Question()["min"] = null, "questions[0].min"),
        ["null country"] =
            (body => body["eligibility"] = Bodies.Parse("""{"countries":[null]}"""), "eligibility.countries[0]"),
        ["unknown member"] = (body => body["colour"] = "red", "colour"),
        ["unknown member of a question"] = (body => body.Question()["colour"] = "red", "questions[0].colour"),
        ["unknown member of an option"] = (body => body.Option(1)["votes"] = 5, "questions[0].options[1].votes"),
        ["unknown member of eligibility"] =
            (body => body["eligibility"] = Bodies.Parse("""{"age":1}"""), "eligibility.age"),
        ["a member that only answers have"] = (body => body["status"] = "published", "status"),
        ["another case"] = (body => body["liveBatchmin"] = 1, "liveBatchmin"),
        ["title a number"] = (body => body["title"] = 5, "title"),
        ["questions an object"] = (body => body["questions"] = new JsonObject(), "questions"),
        ["question a string"] = (body => body["questions"]![0] = "Who?", "questions[0]"),
        ["min a string"] = (body => body.Question()["min"] = "1", "questions[0].min"),
        ["min a fraction"] = (body => body.Question()["min"] = 0.5, "questions[0].min"),
        ["max beyond int"] = (body => body.Question()["max"] = 3_000_000_000, "questions[0].max"),
        ["allowText a string"] = (body => body.Question()["allowText"] = "true", "questions[0].allowText"),
        ["id a number"] = (body => body.Question()["id"] = 1, "questions[0].id"),
        ["liveBatchMin a string"] = (body => body["liveBatchMin"] = "5", "liveBatchMin"),
        ["unknown visibility"] = (body => body["resultsVisibility"] = "never", "resultsVisibility"),
        ["visibility in capitals"] = (body => body["resultsVisibility"] = "Live", "resultsVisibility"),
        ["visibility a number"] = (body => body["resultsVisibility"] = 0, "resultsVisibility"),
        ["eligibility a string"] = (body => body["eligibility"] = "all", "eligibility"),
        ["verified a string"] =
            (body => body["eligibility"] = Bodies.Parse("""{"verified":"yes"}"""), "eligibility.verified"),
        ["verified null"] =
            (body => body["eligibility"] = Bodies.Parse("""{"verified":null}"""), "eligibility.verified"),
        ["opensAt no time"] = (body => body["opensAt"] = "tomorrow", "opensAt"),
        ["opensAt without offset"] = (body => body["opensAt"] = "2030-01-15T10:30:00", "opensAt"),
        ["opensAt a date"] = (body => body["opensAt"] = "2030-01-15", "opensAt"),
        ["opensAt a number"] = (body => body["opensAt"] = 1_900_000_000, "opensAt"),
        ["opensAt no date of the calendar"] = (body => body["opensAt"] = "2030-02-30T10:30:00Z", "opensAt"),
        ["closesAt before time itself"] = (body => body["closesAt"] = "0001-01-01T00:00:00+14:00", "closesAt"),
        ["title too long"] = (body => body["title"] = new string('x', 201), "title"),
        ["title too long in code points"] = (body => body["title"] = Repeat(Ballot, 201), "title"),
        ["question title too long"] = (body => body.Question()["title"] = new string('x', 201), "questions[0].title"),
        ["text too long"] = (body => body.Option(1)["text"] = new string('x', 201), "questions[0].options[1].text"),
        ["image too long"] = (body => body.Option()["image"] = Image(2_049), "questions[0].options[0].image"),
        ["group too long"] =
            (body => body["eligibility"] = new JsonObject { ["group"] = new string('x', 101) }, "eligibility.group"),
        ["too many questions"] = (body => Add(body, 51), "questions"),
        ["too many options"] = (body => Options(body, 501), "questions[0].options"),
        ["too many countries"] = (body => body["eligibility"] = new JsonObject
        {
            ["countries"] = new JsonArray([.. Enumerable.Repeat("BR", 251).Select(code => JsonValue.Create(code))]),
        }, "eligibility.countries"),
    };

    /// <summary>What breaks the rules: 422, each with the path of the fault.</summary>
    private static readonly Dictionary<string, (Action<JsonObject> Change, string Path)> Invalid = new()
    {
        ["empty title"] = (body => body["title"] = "", "title"),
        ["blank title"] = (body => body["title"] = " \u00a0\u2003", "title"),
        ["U+0000 in a title"] = (body => body["title"] = "a\0b", "title"),
        ["a line end in a title"] = (body => body["title"] = "a\nb", "title"),
        ["C1 control in a text"] = (body => body.Option()["text"] = "a\u0085b", "questions[0].options[0].text"),
        ["empty question title"] = (body => body.Question()["title"] = "", "questions[0].title"),
        ["empty option text"] = (body => body.Option(1)["text"] = "", "questions[0].options[1].text"),
        ["no question"] = (body => body["questions"] = new JsonArray(), "questions"),
        ["one option"] = (body => Options(body, 1), "questions[0].options"),
        ["negative min"] = (body => body.Question()["min"] = -1, "questions[0].min"),
        ["max below min"] = (body => (body.Question()["min"], body.Question()["max"]) = (2, 1), "questions[0].max"),
        ["max above the options"] = (body => body.Question()["max"] = 3, "questions[0].max"),
        ["negative order"] = (body => body.Question()["order"] = -1, "questions[0].order"),
        ["order too high"] = (body => body.Option()["order"] = 10_000, "questions[0].options[0].order"),
        ["same order of questions"] =
            (body => body["questions"]!.AsArray().Add(Bodies.NewQuestion("x", 0)), "questions[1].order"),
        ["same order of options"] = (body => body.Option(1)["order"] = 0, "questions[0].options[1].order"),
        ["image by http"] =
            (body => body.Option()["image"] = "http://example.com/a.jpg", "questions[0].options[0].image"),
        ["image relative"] = (body => body.Option()["image"] = "/a.jpg", "questions[0].options[0].image"),
        ["image without scheme"] =
            (body => body.Option()["image"] = "//example.com/a.jpg", "questions[0].options[0].image"),
        ["image a script"] = (body => body.Option()["image"] = "javascript:alert(1)", "questions[0].options[0].image"),
        ["image a data URL"] =
            (body => body.Option()["image"] = "data:image/png;base64,AAAA", "questions[0].options[0].image"),
        ["image with a password"] =
            (body => body.Option()["image"] = "https://a:b@example.com/", "questions[0].options[0].image"),
        ["image with a space"] =
            (body => body.Option()["image"] = "https://example.com/a b.jpg", "questions[0].options[0].image"),
        ["image with backslashes"] =
            (body => body.Option()["image"] = "https:\\\\example.com\\a", "questions[0].options[0].image"),
        ["image empty"] = (body => body.Option()["image"] = "", "questions[0].options[0].image"),
        ["image U+0000"] = (body => body.Option()["image"] = "https://example.com/\0", "questions[0].options[0].image"),
        ["liveBatchMin 0"] = (body => body["liveBatchMin"] = 0, "liveBatchMin"),
        ["liveBatchMin too high"] = (body => body["liveBatchMin"] = 10_001, "liveBatchMin"),
        ["closing before opening"] = (body => (body["opensAt"], body["closesAt"]) =
            ("2030-01-15T10:30:00Z", "2030-01-15T10:29:59Z"), "closesAt"),
        ["closing at opening"] = (body => (body["opensAt"], body["closesAt"]) =
            ("2030-01-15T10:30:00Z", "2030-01-15T10:30:00.0009Z"), "closesAt"),
        ["opening long ago"] = (body => body["opensAt"] = "1999-12-31T23:59:59Z", "opensAt"),
        ["closing in the end"] = (body => body["closesAt"] = "9999-12-31T23:59:59Z", "closesAt"),
        ["no country of the world"] = (body => Countries(body, "UK"), "eligibility.countries[0]"),
        ["country in small letters"] = (body => Countries(body, "BR", "pt"), "eligibility.countries[1]"),
        ["country twice"] = (body => Countries(body, "BR", "BR"), "eligibility.countries[1]"),
        ["countries empty"] = (body => Countries(body), "eligibility.countries"),
        ["minimum age 0"] =
            (body => body["eligibility"] = Bodies.Parse("""{"minimumAge":0}"""), "eligibility.minimumAge"),
        ["minimum age 151"] =
            (body => body["eligibility"] = Bodies.Parse("""{"minimumAge":151}"""), "eligibility.minimumAge"),
        ["group empty"] = (body => body["eligibility"] = Bodies.Parse("""{"group":""}"""), "eligibility.group"),
        ["country of the unverified"] = (body => body["eligibility"] =
            Bodies.Parse("""{"verified":false,"countries":["BR"]}"""), "eligibility.countries"),
        ["age of the unverified"] = (body => body["eligibility"] =
            Bodies.Parse("""{"verified":false,"minimumAge":16}"""), "eligibility.minimumAge"),
    };

    /// <summary>What stands on the right side of a limit.</summary>
    private static readonly Dictionary<string, Action<JsonObject>> Fine = new()
    {
        ["title of 200"] = body => body["title"] = new string('x', 200),
        ["title of 200 code points"] = body => body["title"] = Repeat(Ballot, 200),
        ["title of 1"] = body => body["title"] = "?",
        ["text of 200"] = body => body.Option()["text"] = new string('x', 200),
        ["image of 2048"] = body => body.Option()["image"] = Image(2_048),
        ["50 questions"] = body => Add(body, 50),
        ["500 options"] = body => { Options(body, 500); body.Question()["max"] = 500; },
        ["order 9999"] = body => body.Question()["order"] = 9_999,
        ["min 0, max 0"] = body => (body.Question()["min"], body.Question()["max"]) = (0, 0),
        ["max all options"] = body => (body.Question()["min"], body.Question()["max"]) = (2, 2),
        ["same orders in two questions"] = body => body["questions"]!.AsArray().Add(Bodies.NewQuestion("x", 1)),
        ["the unverified too"] = body => body["eligibility"] = Bodies.Parse("""{"verified":false}"""),
        ["the unverified of a group"] =
            body => body["eligibility"] = Bodies.Parse("""{"verified":false,"group":"x"}"""),
        ["minimum age 1"] = body => body["eligibility"] = Bodies.Parse("""{"minimumAge":1}"""),
        ["minimum age 150"] = body => body["eligibility"] = Bodies.Parse("""{"minimumAge":150}"""),
        ["nulls for absent"] = body => body["eligibility"] = body["opensAt"] = body["closesAt"] = body["liveBatchMin"] =
            body["resultsVisibility"] = null,
    };

    public static TheoryData<string> MalformedNames => [.. Malformed.Keys];

    public static TheoryData<string> InvalidNames => [.. Invalid.Keys];

    public static TheoryData<string> FineNames => [.. Fine.Keys];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(MalformedNames))]
    public async Task A_body_of_another_form_is_malformed(string name)
    {
        var (change, path) = Malformed[name];

        foreach (var answer in await SendAsync(Bodies.Survey(change)))
            AssertNames(path, await answer.ProblemAsync(400, "malformed-request"));
    }

    [Theory, MemberData(nameof(InvalidNames))]
    public async Task A_survey_that_breaks_a_rule_is_invalid(string name)
    {
        var (change, path) = Invalid[name];

        foreach (var answer in await SendAsync(Bodies.Survey(change)))
        {
            var problem = await answer.ProblemAsync(422, "invalid-survey");
            AssertNames(path, problem);
            Assert.Single(problem["errors"]!.AsObject());
        }
    }

    [Theory, MemberData(nameof(FineNames))]
    public async Task A_survey_at_a_limit_is_taken(string name)
    {
        var body = Bodies.Survey(Fine[name]);

        Assert.All(await SendAsync(body), answer => Assert.True(answer.IsSuccessStatusCode, $"{answer.StatusCode}"));
    }

    [Fact]
    public async Task All_faults_are_told_at_once()
    {
        var problem = await (await SendAsync(Bodies.Survey(body =>
        {
            body["title"] = "";
            body.Question()["max"] = 9;
            body.Option(1)["image"] = "ftp://x";
        })))[0].ProblemAsync(422, "invalid-survey");

        Assert.Equal(
            ["title", "questions[0].max", "questions[0].options[1].image"],
            problem["errors"]!.AsObject().Select(error => error.Key));
    }

    [Fact]
    public void The_list_of_countries_is_whole() =>
        // ISO 3166-1 has 249, and XK.
        Assert.Equal(250, Enumerable.Range(0, 26 * 26)
            .Count(i => Voting.Countries.Exists($"{(char)('A' + i / 26)}{(char)('A' + i % 26)}")));

    /// <returns>The answers to the body as a new survey and as an update of one.</returns>
    private async Task<HttpResponseMessage[]> SendAsync(JsonObject body)
    {
        const string path = "/v1/internal/surveys";
        var survey = await shared.Host.CreateAsync();
        return
        [
            await shared.Host.Manager.PostAsync(path, JsonContent.Create(body), Cancel),
            await shared.Host.Manager.PutAsync($"{path}/{survey["id"]}", JsonContent.Create(body), Cancel),
        ];
    }

    private static void AssertNames(string? path, JsonObject problem)
    {
        if (path is not null) Assert.Contains(path, problem["errors"]!.AsObject().Select(error => error.Key));
    }

    private static string Repeat(string text, int count) => string.Concat(Enumerable.Repeat(text, count));

    private static string Image(int length) => "https://example.com/".PadRight(length, 'a');

    private static void Add(JsonObject body, int questionCount) => body["questions"] = new JsonArray(
        [.. Enumerable.Range(0, questionCount).Select(i => Bodies.NewQuestion($"Question {i}", i))]);

    private static void Options(JsonObject body, int count) =>
        body["questions"] = new JsonArray(Bodies.NewQuestion("Question", 0, count));

    private static void Countries(JsonObject body, params string[] codes) => body["eligibility"] = new JsonObject
    {
        ["countries"] = new JsonArray([.. codes.Select(code => JsonValue.Create(code))]),
    };
}
