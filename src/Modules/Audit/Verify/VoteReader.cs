using System.Text.Json;

namespace Audit;

/// <summary>Reads the events of one partition of an election. Nothing is allocated for a vote.</summary>
/// <remarks>Not thread safe.</remarks>
internal sealed class VoteReader(int partition, SurveyFacts surveys)
{
    // The rules of the survey that was read last: a partition's votes are mostly of one.
    private int _survey;
    private SurveyRules? _rules;

    /// <summary>The chosen options of the records that were read, in their order.</summary>
    public RingQueue<int> Options { get; } = new();

    /// <summary>Reads a record of <c>votes</c>; what is none is <see cref="VoteRecordKind.Unreadable"/>.</summary>
    /// <param name="bytes">The event.</param>
    /// <param name="record">Takes what the event says.</param>
    public void Read(ReadOnlySpan<byte> bytes, ref PendingRecord record)
    {
        record.FirstOption = Options.End;
        try
        {
            ReadRecord(bytes, ref record, isInside: false);
        }
        catch (Exception e) when (IsOfJson(e))
        {
            Options.Cut(record.FirstOption);
            record.Kind = VoteRecordKind.Unreadable;
        }

        record.OptionCount = (int)(Options.End - record.FirstOption);
    }

    /// <summary>Reads an outcome.</summary>
    /// <returns>False when it is none of the first version.</returns>
    public static bool TryRead(ReadOnlySpan<byte> bytes, ref OutcomeRecord outcome)
    {
        try
        {
            var json = new EventReader(bytes);
            json.Take(JsonTokenType.StartObject);
            json.Text("specversion"u8, "1.0"u8);
            outcome.Kind = Kind(ref json);
            json.Text("source"u8);
            json.Text("id"u8);
            json.Text("time"u8);
            json.Text("datacontenttype"u8);
            json.Name("data"u8);
            json.Take(JsonTokenType.StartObject);
            outcome.Survey = json.Id("survey"u8);
            outcome.VoteId = json.Key("voteId"u8);
            outcome.VoterKey = json.Key("voterKey"u8);
            outcome.Partition = checked((int)json.Number("partition"u8));
            outcome.Offset = json.Number("offset"u8);
            outcome.Previous = json.Number("previous"u8);
            outcome.Reason = json.Next() is JsonTokenType.PropertyName ? Reason(ref json) : RefusalReason.None;
            return (outcome.Kind is VoteOutcomeKind.Rejected) == (outcome.Reason is not RefusalReason.None);
        }
        catch (Exception e) when (IsOfJson(e))
        {
            return false;
        }
    }

    private static VoteOutcomeKind Kind(ref EventReader json)
    {
        json.Text("type"u8);
        return json.IsText("vote.counted"u8) ? VoteOutcomeKind.Counted
            : json.IsText("vote.rejected"u8) ? VoteOutcomeKind.Rejected
            : json.IsText("vote.repeated"u8) ? VoteOutcomeKind.Repeated
            : json.IsText("vote.held"u8) ? VoteOutcomeKind.Held
            : throw new JsonException("A type that outcomes do not have.");
    }

    private static RefusalReason Reason(ref EventReader json)
    {
        if (!json.IsText("reason"u8)) throw new JsonException("A member that outcomes do not have.");
        json.Take(JsonTokenType.String);
        return json.IsText("duplicate"u8) ? RefusalReason.Duplicate
            : json.IsText("after-close"u8) ? RefusalReason.AfterClose
            : json.IsText("invalid"u8) ? RefusalReason.Invalid
            : json.IsText("review"u8) || json.IsText("review-expired"u8) ? RefusalReason.Review
            : throw new JsonException("A reason that rejections do not have.");
    }

    private void ReadRecord(ReadOnlySpan<byte> bytes, ref PendingRecord record, bool isInside)
    {
        var json = new EventReader(bytes);
        json.Take(JsonTokenType.StartObject);
        json.Text("specversion"u8, "1.0"u8);
        json.Text("type"u8);
        var kind = json.IsText("vote.submitted"u8) ? VoteRecordKind.Submitted
            : json.IsText("survey.closed"u8) ? VoteRecordKind.Closed
            : json.IsText("vote.replayed"u8) ? VoteRecordKind.Replayed
            : throw new JsonException("A type that votes do not have.");
        if (isInside && kind is not VoteRecordKind.Submitted) throw new JsonException("Only votes are replayed.");
        json.Text("source"u8);
        json.Text("id"u8);
        if (kind is VoteRecordKind.Submitted) record.VoteId = json.KeyValue();
        json.Text("time"u8);
        json.Text("datacontenttype"u8);
        json.Name("data"u8);
        json.Take(JsonTokenType.StartObject);
        if (kind is VoteRecordKind.Replayed)
        {
            ReadReplay(ref json, ref record);
        }
        else
        {
            record.Survey = json.Id("survey"u8);
            if (kind is VoteRecordKind.Submitted) ReadVote(ref json, ref record);
            // Set aside where it is another partition's, like what cannot be read.
            else if (json.Number("partition"u8) != partition) throw new JsonException("A fence of another partition.");
        }

        record.Kind = kind;
    }

    private void ReadReplay(ref EventReader json, ref PendingRecord record)
    {
        if (json.Number("partition"u8) != partition) throw new JsonException("A replay of another partition.");
        record.ReplayOf = json.Number("offset"u8);
        json.Name("event"u8);
        json.Take(JsonTokenType.String);
        var original = json.Base64;
        ReadRecord(original, ref record, isInside: true);
        record.Entry = Digest.Of(original);
    }

    private void ReadVote(ref EventReader json, ref PendingRecord record)
    {
        record.VoterKey = json.Key("voterKey"u8);
        json.Key("salt"u8);
        json.Name("answers"u8);
        json.Take(JsonTokenType.StartArray);
        var rules = RulesOf(record.Survey);
        var (fits, answered) = (true, 0UL);
        while (json.Next() is JsonTokenType.StartObject)
        {
            // Read whether or not the rules are here: the publication may be archived later than a vote.
            var id = json.Id("question"u8);
            var question = rules?.Find(id);
            fits &= question is not null && (answered & question.Bit) == 0;
            answered |= question?.Bit ?? 0;
            fits &= ReadAnswer(ref json, question);
        }

        record.Fit = rules is null ? BallotFit.Unknown
            : fits && rules.IsComplete(answered) ? BallotFit.Fits : BallotFit.Breaks;
    }

    private bool ReadAnswer(ref EventReader json, SurveyRules.Question? question)
    {
        json.Name("options"u8);
        json.Take(JsonTokenType.StartArray);
        var (fits, first) = (true, Options.End);
        while (json.Next() is JsonTokenType.String)
        {
            var option = json.IdValue();
            fits &= question?.Options.Contains(option) is true && !Has(first, option);
            Options.Add(option);
        }

        var count = Options.End - first;
        fits &= count >= question?.Min && count <= question.Max;
        if (json.Next() is JsonTokenType.PropertyName)
        {
            if (!json.IsText("text"u8)) throw new JsonException("A member that answers do not have.");
            json.Take(JsonTokenType.String);
            fits &= (json.IsEmpty || question?.AllowText is true) && !json.HasNull();
            json.Take(JsonTokenType.EndObject);
        }

        return fits;
    }

    private bool Has(long first, int option)
    {
        // They are written in ascending order: one look, as a rule.
        if (Options.End == first || Options[Options.End - 1] < option) return false;
        for (var place = first; place < Options.End; place++)
        {
            if (Options[place] == option) return true;
        }

        return false;
    }

    private SurveyRules? RulesOf(int survey)
    {
        if (_survey == survey) return _rules;
        _survey = survey;
        return _rules = surveys.Rules(survey);
    }

    private static bool IsOfJson(Exception e) =>
        e is JsonException or FormatException or OverflowException or InvalidOperationException;
}
