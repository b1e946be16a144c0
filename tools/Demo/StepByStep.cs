using System.Text.Json;

namespace Demo;

/// <summary>Votes answer by answer, and then finishes.</summary>
internal sealed class StepByStep(Client client, Target target, Survey survey, Ledger ledger)
{
    /// <summary>What a session's first finish is called by, in the books.</summary>
    public const string Finish = "session: finish";

    /// <summary>Gives every answer once and finishes.</summary>
    /// <param name="voter">Has no vote yet.</param>
    /// <param name="paper">Says something.</param>
    /// <param name="cancel">Ends the request that is under way.</param>
    public async Task RunAsync(Voter voter, BallotPaper paper, CancellationToken cancel)
    {
        if (await GiveAllAsync(voter, paper, cancel) is not { } given) return;
        await FinishAsync(voter, given.Session, paper, cancel);
    }

    /// <summary>The same with all that voters do besides: repeat, choose too much, take back, finish twice.</summary>
    /// <returns>The answer to the finish; null when it was not reached.</returns>
    public async Task<Answer?> RunThoroughlyAsync(Voter voter, BallotPaper paper, CancellationToken cancel)
    {
        if (await GiveAllAsync(voter, paper, cancel) is not { } given) return null;

        var (session, first) = given;
        var (choice, option) = (paper.Choices[0], paper.Choices[0].Options[0]);
        var again = await GiveAsync("session: same answer again", voter, session, choice, option, [200], cancel);
        if (again.Text("id") != first)
            ledger.Fault($"session: the same answer again is {again.Body}, first it was {first}");
        await ChangeMindAsync(voter, session, paper, cancel);

        var finish = await FinishAsync(voter, session, paper, cancel);
        if (finish is null) return null;
        var repeat = await FinishAsync(voter, session, paper, cancel, "session: finish again");
        if (repeat?.SaysTheSame(finish) is not true)
            ledger.Fault($"session: the finish again is {repeat?.Body}, first it was {finish.Body}");
        await GiveAsync(
            "session: answer after the finish", voter, session, choice, option, [(409, "session-finished")], cancel);
        return finish;
    }

    /// <summary>Answers and finishes although the voter has voted in one request.</summary>
    /// <param name="voter">Has a vote.</param>
    /// <param name="paper">Says something.</param>
    /// <param name="first">The vote's answer.</param>
    /// <param name="cancel">Ends the request that is under way.</param>
    public async Task TryTooLateAsync(Voter voter, BallotPaper paper, Answer first, CancellationToken cancel)
    {
        const string what = "session after a ballot";
        string? session = null;
        Answer? answer = null;
        var given = paper.Choices.SelectMany(choice => choice.Options.Select(option => (choice, option)));
        foreach (var (choice, option) in given)
        {
            // Only the second to be cast is refused: the answers themselves may be taken.
            answer = await GiveAsync(what, voter, session, choice, option, [201, (409, "duplicate-vote")], cancel);
            if (answer.Status is not (200 or 201)) break;
            session ??= Member(answer, "surveyAnswer", "id");
        }

        if (session is not null && answer is { Status: 200 or 201 })
        {
            answer = await client.SendAsync(
                () => Requests.Make(HttpMethod.Put, At(voter), $"{Path}/{session}/finish", voter.Token), cancel);
            ledger.Book(what, answer, (409, "duplicate-vote"));
        }

        if (answer?.Text("voteId") != first.Text("voteId"))
            ledger.Fault($"{what}: the refusal names {answer?.Text("voteId")}, not {first.Text("voteId")}");
    }

    private string Path => $"/v1/surveys/{survey.Id}/answers";

    /// <returns>The session's id and that of its first answer; null when an answer was not taken.</returns>
    private async Task<(string Session, string FirstAnswer)?> GiveAllAsync(
        Voter voter, BallotPaper paper, CancellationToken cancel)
    {
        const string what = "session: answer";
        string? session = null, first = null;
        foreach (var choice in paper.Choices)
        {
            foreach (var option in choice.Options)
            {
                var answer = await GiveAsync(what, voter, session, choice, option, [201], cancel);
                if (answer.Status is not (200 or 201)) return null;

                // The first answer comes inside its session's.
                var (id, of) = session is null
                    ? (Member(answer, "questionAnswer", "id"), Member(answer, "questionAnswer", "surveyAnswer"))
                    : (answer.Text("id"), answer.Text("surveyAnswer"));
                session ??= Member(answer, "surveyAnswer", "id");
                if (session is null || id is null || of != session)
                {
                    ledger.Fault($"{what}: the body is {answer.Body}");
                    return null;
                }

                first ??= id;
            }
        }

        return session is null || first is null ? null : (session, first);
    }

    private async Task ChangeMindAsync(Voter voter, string session, BallotPaper paper, CancellationToken cancel)
    {
        foreach (var choice in paper.Choices)
        {
            var question = survey.Questions.First(question => question.Id == choice.Question);
            var other = question.Options.FirstOrDefault(offered => !choice.Options.Contains(offered.Id));
            if (other is null) continue;
            if (choice.Options.Count == question.Max)
            {
                await GiveAsync(
                    "session: too many options", voter, session, choice, other.Id, [(422, "invalid-ballot")], cancel);
                continue;
            }

            var more = await GiveAsync("session: answer", voter, session, choice, other.Id, [201], cancel);
            if (more.Text("id") is not { } item) continue;
            var back = await client.SendAsync(() => Requests.Make(
                HttpMethod.Delete, At(voter), $"{Path}/{session}/items/{item}", voter.Token), cancel);
            ledger.Book("session: answer taken back", back, back.Uncertain ? [204, (404, "not-found")] : [204]);
        }
    }

    private async Task<Answer> GiveAsync(
        string what, Voter voter, string? session, Choice choice, string option, Allowed[] allowed,
        CancellationToken cancel)
    {
        var text = choice.Text ?? "";
        var body = session is null
            ? JsonSerializer.SerializeToUtf8Bytes(new { question = choice.Question, option, text })
            : JsonSerializer.SerializeToUtf8Bytes(
                new { surveyAnswerId = session, question = choice.Question, option, text });
        var answer = await client.SendAsync(
            () => Requests.Json(HttpMethod.Post, At(voter), Path, voter.Token, body), cancel);
        ledger.Book(what, answer, answer.Uncertain ? [200, .. allowed] : allowed);
        return answer;
    }

    private async Task<Answer?> FinishAsync(
        Voter voter, string session, BallotPaper paper, CancellationToken cancel, string what = Finish)
    {
        var answer = await client.SendAsync(
            () => Requests.Make(HttpMethod.Put, At(voter), $"{Path}/{session}/finish", voter.Token), cancel);
        if (!ledger.Book(what, answer, 200)) return null;
        if (answer.Text("id") != session || answer.Text("survey") != survey.Id || answer.Text("finished") is null)
            ledger.Fault($"{what}: the body is {answer.Body}");
        ledger.Accept(voter, answer, paper);
        return answer;
    }

    private Uri At(Voter voter) => target.PublicOf(voter.Number);

    private static string? Member(Answer answer, string member, string inner) =>
        answer.Body is { ValueKind: JsonValueKind.Object } body && body.TryGetProperty(member, out var value)
            && value.ValueKind is JsonValueKind.Object && value.TryGetProperty(inner, out var found)
            ? found.GetString() : null;
}
