using System.Diagnostics;
using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>One answer as it came in.</summary>
/// <param name="Caller">Whose.</param>
/// <param name="SurveyId">Where.</param>
/// <param name="SessionId">The session that the request names, as given; null when it names none.</param>
/// <param name="Answer">One option or none; null text leaves the words to the question as they are.</param>
/// <param name="IdempotencyKey">1 to 64 visible ASCII characters, or null.</param>
internal sealed record AnswerRequest(
    VoterCaller Caller, int SurveyId, string? SessionId, Answer Answer, string? IdempotencyKey);

/// <summary>
/// Adds answers to a voter's session, which the first one begins, and takes them back. Safe for use by many threads.
/// </summary>
internal sealed class AnswerQuestion(SurveyDirectory surveys, Sessions sessions, ShardMap map)
{
    /// <summary>Answers only once the answer is durable.</summary>
    /// <remarks>The caller's hanging up ends nothing.</remarks>
    public async Task<AnswerOutcome> AddAsync(AnswerRequest request)
    {
        if (surveys.Find(request.SurveyId) is not { } survey) return Refused(new CastVoteOutcome.NoSuchSurvey());
        var (place, sessionId) = SessionOf(survey, request.Caller);
        if (request.SessionId is { } named && named != sessionId.ToString()) return new AnswerOutcome.NoSuchSession();
        if (Check(survey, request.Answer) is { } errors) return Refused(new CastVoteOutcome.InvalidBallot(errors));
        if (!VoterEligibility.Admits(survey.Eligibility)) return Refused(new CastVoteOutcome.NotEligible());

        Key16? key = request.IdempotencyKey is { } given
            ? VoteIdentity.OfIdempotencyKey(survey.Secret, given) : null;
        var isOpen = survey.Status is SurveyStatus.Published;
        // Nothing can be added, and nothing that was remembered is asked for: the shard need not be.
        if (!isOpen && key is null) return Refused(new CastVoteOutcome.NotOpen());

        var (question, options, text) = request.Answer;
        var option = options is [var chosen] ? chosen : 0;
        StoredAnswer stored;
        try
        {
            stored = await sessions.AddAsync(new(
                place, isOpen, request.SessionId is null, question, option, survey.Question(question)!.Max, text, key,
                VoteIdentity.OfAnswer(survey.Secret, request.SessionId is not null, request.Answer)));
        }
        catch (TooManyCallsException)
        {
            return Refused(new CastVoteOutcome.Overloaded());
        }

        var answer = new SessionAnswer(
            sessionId, survey.Id, stored.InitializedAt, stored.Id, question, option == 0 ? null : option, stored.Text);
        return stored.Outcome switch
        {
            "added" => new AnswerOutcome.Added(answer),
            "repeated" or "remembered" => new AnswerOutcome.Repeated(answer),
            "full" => Refused(new CastVoteOutcome.InvalidBallot(new Dictionary<string, string[]>
            {
                ["option"] = [$"Choose {survey.Question(question)!.Max} options at most; take another one back first."],
            })),
            "missing" => new AnswerOutcome.NoSuchSession(),
            "finished" => new AnswerOutcome.SessionFinished(),
            "closed" => Refused(new CastVoteOutcome.NotOpen()),
            "reused" => Refused(new CastVoteOutcome.IdempotencyKeyReused()),
            null => Refused(new CastVoteOutcome.Overloaded()),
            var unknown => throw new UnreachableException($"choose says {unknown}."),
        };
    }

    /// <summary>Answers only once the answer is durably gone.</summary>
    /// <param name="caller">Whose.</param>
    /// <param name="surveyId">Where.</param>
    /// <param name="sessionId">The session, as given.</param>
    /// <param name="answerId">The answer, as given.</param>
    public async Task<AnswerOutcome> TakeBackAsync(VoterCaller caller, int surveyId, string sessionId, string answerId)
    {
        if (surveys.Find(surveyId) is not { } survey) return Refused(new CastVoteOutcome.NoSuchSurvey());
        var (place, own) = SessionOf(survey, caller);
        if (sessionId != own.ToString() || !Key16.TryParse(answerId, out var answer))
            return new AnswerOutcome.NoSuchSession();

        string? outcome;
        try
        {
            outcome = await sessions.TakeBackAsync(place, survey.Status is SurveyStatus.Published, answer);
        }
        catch (TooManyCallsException)
        {
            return Refused(new CastVoteOutcome.Overloaded());
        }

        return outcome switch
        {
            "taken" => new AnswerOutcome.TakenBack(),
            "missing" => new AnswerOutcome.NoSuchSession(),
            "finished" => new AnswerOutcome.SessionFinished(),
            "closed" => Refused(new CastVoteOutcome.NotOpen()),
            null => Refused(new CastVoteOutcome.Overloaded()),
            var unknown => throw new UnreachableException($"take_back says {unknown}."),
        };
    }

    private (SessionPlace Place, Key16 SessionId) SessionOf(Survey survey, VoterCaller caller)
    {
        var (partition, voterKey) = VoteIdentity.VoterOf(survey.Secret, caller.BallotSubject, map.Partitions);
        return (new(partition, survey.Id, voterKey), VoteIdentity.SessionOf(survey.Secret, voterKey));
    }

    /// <returns>What no state of the session could mend, by the request's member; null when there is nothing.</returns>
    private static Dictionary<string, string[]>? Check(Survey survey, Answer answer)
    {
        var (id, options, text) = answer;
        if (survey.Question(id) is not { } question) return Error("question", "The survey has no such question.");
        if (options is [var option])
        {
            if (!survey.Offers(id, option)) return Error("option", "The question has no such option.");
            if (question.Max == 0) return Error("option", "The question takes no option.");
        }
        else if (string.IsNullOrEmpty(text))
        {
            return Error("option", "Choose an option, or give a text where the question takes one.");
        }

        if (!string.IsNullOrEmpty(text) && !question.AllowText) return Error("text", "The question takes no text.");
        // PostgreSQL's text holds every character but this one.
        return text?.Contains('\0', StringComparison.Ordinal) is true
            ? Error("text", "The text holds a null character.") : null;

        static Dictionary<string, string[]> Error(string member, string message) => new() { [member] = [message] };
    }

    private static AnswerOutcome.Refused Refused(CastVoteOutcome why) => new(why);
}

/// <summary>One answer of a session, as its voter is told.</summary>
/// <param name="Option">Null for words alone.</param>
/// <param name="Text">The words to the question; empty when there are none.</param>
internal sealed record SessionAnswer(
    Key16 SessionId, int Survey, DateTimeOffset InitializedAt, Key16 Id, int Question, int? Option, string Text);

/// <summary>Every way an answer can end. Whoever adds a case answers for it in the endpoint.</summary>
internal abstract record AnswerOutcome
{
    private AnswerOutcome() { }

    internal sealed record Added(SessionAnswer Answer) : AnswerOutcome;

    internal sealed record Repeated(SessionAnswer Answer) : AnswerOutcome;

    internal sealed record TakenBack : AnswerOutcome;

    internal sealed record NoSuchSession : AnswerOutcome;

    internal sealed record SessionFinished : AnswerOutcome;

    /// <summary>For a reason that casting knows as well.</summary>
    internal sealed record Refused(CastVoteOutcome Why) : AnswerOutcome;
}
