using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Demo;

/// <summary>Ballots that must be refused, each in the way that the contract says.</summary>
internal sealed class HostileBallots
{
    /// <summary>What they all are called by, in the books.</summary>
    public const string Prefix = "hostile: ";

    private const int BodySizeBytesMax = 64 * 1024;
    private const int NestingDepth = 200;
    private const string NoToken = "no token";
    // One voter in twenty tries one of them; the first voter tries all.
    private const int Share = 20;

    private readonly Client _client;
    private readonly Target _target;
    private readonly Survey _survey;
    private readonly Ledger _ledger;
    private readonly List<Attempt> _attempts = [];

    public HostileBallots(Client client, Target target, Survey survey, Ledger ledger)
    {
        (_client, _target, _survey, _ledger) = (client, target, survey, ledger);
        AddBodies();
        AddBallots();
        AddRequests();
    }

    /// <summary>How many kinds there are for this survey.</summary>
    public int Count => _attempts.Count;

    /// <summary>Sends those that this voter tries before voting.</summary>
    /// <param name="voter">None of these becomes its vote.</param>
    /// <param name="fair">A ballot that would be taken, to be spoilt.</param>
    /// <param name="cancel">Ends the request that is under way.</param>
    public async Task SendAsync(Voter voter, BallotPaper fair, CancellationToken cancel)
    {
        if (voter.Number % Share != 0) return;
        foreach (var attempt in voter.Number == 0 ? _attempts : [_attempts[voter.Number / Share % _attempts.Count]])
        {
            var what = Prefix + attempt.What;
            var answer = await _client.SendAsync(() => attempt.Make(voter, fair), cancel);
            _ledger.Book(what, answer, (attempt.Status, attempt.Problem));
            if (answer.Status == 401 && (answer.Challenge is "Bearer") != (attempt.What is NoToken))
                _ledger.Fault($"{what}: the challenge is {answer.Challenge}");
        }
    }

    private void AddBodies()
    {
        Body("empty body", _ => "");
        Body("malformed JSON", _ => """{"answers":[""");
        Body("null", _ => "null");
        Body("a list", _ => "[]");
        Body("no answers", _ => "{}");
        Body("unknown member", fair => fair[..^1] + ""","voter":"me"}""");
        Body("member twice", fair => fair[..^1] + ""","answers":[]}""");
        Body("wrong type", _ => """{"answers":{"question":"1"}}""");
        Body("number for an id", _ => """{"answers":[{"question":1,"options":[]}]}""");
        Body("null for a list", _ => """{"answers":[{"question":"1","options":null}]}""");
        Body("deep nesting", _ => new string('[', NestingDepth) + new string(']', NestingDepth));
        Body("text too long", _ => Ballot(_survey.Questions[0].Id, [], new string('x', 2001)));
        Body("too many answers", _ => """{"answers":["""
            + string.Join(',', Enumerable.Repeat("""{"question":"1","options":[]}""", 51)) + "]}");

        void Body(string what, Func<string, string> make) => Add(
            what, 400, "malformed-request",
            (_, fair) => Encoding.UTF8.GetBytes(make(Encoding.UTF8.GetString(fair.ToBody()))));
        Add("bad UTF-8", 400, "malformed-request", (_, _) =>
            [.. """{"answers":[{"question":"1","options":[],"text":"""u8, (byte)'"', 0xC3, 0x28, .. "\"}]}"u8]);
    }

    private void AddBallots()
    {
        var first = _survey.Questions[0];
        Rule("unknown option", Ballot(first.Id, ["999999999"]));
        Rule("an option that cannot be", Ballot(first.Id, ["Ada; DROP TABLE ballots"]));
        Rule("unknown question", Ballot("999999999", ["1"]));
        if (_survey.Questions.FirstOrDefault(question => question.Options.Count > question.Max) is { } limited)
        {
            var tooMany = limited.Options.Take(limited.Max + 1);
            Rule("too many options", Ballot(limited.Id, [.. tooMany.Select(option => option.Id)]));
        }

        if (_survey.Questions.Any(question => question.Min > 0)) Rule("nothing chosen", """{"answers":[]}""");
        if (_survey.Questions is [{ Max: > 0 }, var second, ..])
            Rule("an option of another question", Ballot(first.Id, [second.Options[0].Id]));

        void Rule(string what, string body) =>
            Add(what, 422, "invalid-ballot", (_, _) => Encoding.UTF8.GetBytes(body));
    }

    private void AddRequests()
    {
        const string toForge = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.";
        Add(NoToken, 401, "unauthenticated", (_, fair) => fair.ToBody(), token: _ => null);
        Add("no real token", 401, "unauthenticated", (_, fair) => fair.ToBody(), token: _ => toForge);
        Add("token with another signature", 401, "unauthenticated", (_, fair) => fair.ToBody(), token: Spoil);
        Add("staff token", 401, "unauthenticated", (_, fair) => fair.ToBody(), token: _ => _target.StaffToken);
        Add("unknown survey", 404, "not-found", (_, fair) => fair.ToBody(), survey: "999999999");
        Add("a survey that cannot be", 404, "not-found", (_, fair) => fair.ToBody(), survey: "abc");
        Add("too large", 413, "payload-too-large", (_, _) => new byte[BodySizeBytesMax + 1], change: request =>
            // So that the refusal is not overtaken by the rest of a body that nobody reads.
            request.Headers.ExpectContinue = true);
        Add("not JSON", 415, "unsupported-media-type", (_, fair) => fair.ToBody(), change: request =>
            request.Content!.Headers.ContentType = new MediaTypeHeaderValue("text/plain"));

        // The signature's first character: the last one holds bits that mean nothing.
        static string Spoil(Voter voter)
        {
            var at = voter.Token.LastIndexOf('.') + 1;
            return voter.Token[..at] + (voter.Token[at] == 'A' ? 'B' : 'A') + voter.Token[(at + 1)..];
        }
    }

    private void Add(
        string what, int status, string problem, Func<Voter, BallotPaper, byte[]> body, string? survey = null,
        Func<Voter, string?>? token = null, Action<HttpRequestMessage>? change = null) =>
        _attempts.Add(new(what, status, problem, (voter, fair) =>
        {
            var request = Requests.Json(
                HttpMethod.Post, _target.PublicOf(voter.Number), $"/v1/surveys/{survey ?? _survey.Id}/votes",
                token is null ? voter.Token : token(voter), body(voter, fair));
            change?.Invoke(request);
            return request;
        }));

    private static string Ballot(string question, string[] options, string? text = null) =>
        JsonSerializer.Serialize(new { answers = new[] { new { question, options, text = text ?? "" } } });

    private sealed record Attempt(
        string What, int Status, string Problem, Func<Voter, BallotPaper, HttpRequestMessage> Make);
}
