using System.Buffers.Text;
using System.Text;

namespace AuditTests;

/// <summary>
/// One partition of an election, written down by hand: the events' form is that of the golden files, and nothing of the
/// platform's code is used.
/// </summary>
internal sealed class Partition(int number)
{
    private const string Mac = ""","mac":"OIDN5VAaeAQZEhTeLJhPRQ"}""";

    private readonly Dictionary<long, (int Survey, string VoteId, string VoterKey, int[] Options)> _votes = [];
    private long _previous = -1;

    public int Number => number;

    /// <summary>The records of votes/i, by offset.</summary>
    public List<byte[]> Votes { get; } = [];

    /// <summary>The records of vote-outcomes/i.</summary>
    public List<byte[]> Outcomes { get; } = [];

    /// <summary>By survey and option; the key 0 stands for ballots.</summary>
    public Dictionary<(int Survey, int Option), long> Tally { get; } = [];

    /// <summary>By survey.</summary>
    public Dictionary<int, long> Fences { get; } = [];

    public static string Text16(int seed, int first = 0, byte kind = 1)
    {
        var bytes = new byte[16];
        (bytes[0], bytes[1], bytes[2]) = ((byte)(first >> 8), (byte)first, kind);
        BitConverter.TryWriteBytes(bytes.AsSpan(8), seed * 2_654_435_761u);
        BitConverter.TryWriteBytes(bytes.AsSpan(12), seed);
        return Base64Url.EncodeToString(bytes);
    }

    /// <returns>The offset. Every ballot has one answer, to the question of which the options are.</returns>
    public long Submit(int voter, params int[] options) => Submit(7, voter, number, options);

    public long Submit(int survey, int voter, int idPartition, int[] options)
    {
        var key = Text16(voter, kind: (byte)(survey + voter));
        var id = Text16(voter * 1000 + options.Sum(), idPartition, 2);
        var listed = string.Join(',', options.Select(option => $"\"{option}\""));
        _votes[Votes.Count] = (survey, id, key, options);
        return Add(Votes, Event("vote.submitted", "votes", id, $$"""
            {"survey":"{{survey}}","voterKey":"{{key}}","salt":"ICEiIyQlJicoKSorLC0uLw",
            "answers":[{"question":"11","options":[{{listed}}]}]}
            """, Mac));
    }

    public long Fence(int survey = 7)
    {
        Fences.TryAdd(survey, Votes.Count);
        var data = $$"""{"survey":"{{survey}}","partition":{{number}}}""";
        return Add(Votes, Event("survey.closed", "surveys", $"closed-{survey}-{number}", data, Mac));
    }

    /// <summary>A record that nobody can read.</summary>
    public long Junk() => Add(Votes, Encoding.UTF8.GetBytes("\xfffd junk\n"));

    public long Replay(long offset, byte[]? bytes = null)
    {
        _votes[Votes.Count] = _votes.GetValueOrDefault(offset);
        return Add(Votes, Event("vote.replayed", "poison", $"replayed-{number}-{offset}", $$"""
            {"partition":{{number}},"offset":{{offset}},
            "event":"{{Convert.ToBase64String(bytes ?? Votes[(int)offset])}}"}
            """, Mac));
    }

    public void Count(long offset)
    {
        var (survey, _, _, options) = _votes[offset];
        foreach (var option in options.Append(0))
            Tally[(survey, option)] = Tally.GetValueOrDefault((survey, option)) + 1;
        Say("counted", offset);
    }

    public void Reject(long offset, string reason) => Say("rejected", offset, reason);

    public void Repeat(long offset) => Say("repeated", offset);

    /// <summary>Says an outcome, as it is told, whether it is right or not.</summary>
    public void Say(string kind, long offset, string? reason = null, long? previous = null, long? like = null)
    {
        var (survey, voteId, voterKey, _) = _votes[like ?? offset];
        var because = reason is null ? "" : $",\"reason\":\"{reason}\"";
        Outcomes.Add(Event($"vote.{kind}", "count", $"{number}-{offset}", $$"""
            {"survey":"{{survey}}","voteId":"{{voteId}}","voterKey":"{{voterKey}}","partition":{{number}},
            "offset":{{offset}},"previous":{{previous ?? _previous}}{{because}}}
            """, "}"));
        _previous = offset;
    }

    private static long Add(List<byte[]> records, byte[] record)
    {
        records.Add(record);
        return records.Count - 1;
    }

    /// <returns>The lines put together to one, in UTF-8.</returns>
    public static byte[] Flat(string json) =>
        Encoding.UTF8.GetBytes(string.Concat(json.Split('\n', StringSplitOptions.TrimEntries)));

    private static byte[] Event(string type, string source, string id, string data, string end) => Flat($$"""
        {"specversion":"1.0","type":"{{type}}","source":"/voting/{{source}}","id":"{{id}}",
        "time":"2026-01-15T10:30:00.123Z","datacontenttype":"application/json","data":{{data}}{{end}}
        """);
}
