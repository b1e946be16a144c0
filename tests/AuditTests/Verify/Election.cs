using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace AuditTests;

/// <summary>
/// A whole election as it stands in the event log, with one of everything: refused, late, repeated and replayed votes,
/// records set aside, outcomes said again. Parts of it can be spoiled before it is archived.
/// </summary>
internal sealed class Election
{
    private static readonly ECDsa ResultKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    private int _eventCount;

    public Partition[] Partitions { get; } = [new(0), new(1)];

    /// <summary>The records of domain-events, of one partition.</summary>
    public List<byte[]> Events { get; } = [];

    /// <summary>Where results became final, with the events that say so.</summary>
    public IEnumerable<(int Index, byte[] Event)> Ends => Events.Index()
        .Where(one => Encoding.UTF8.GetString(one.Item).Contains("\"survey.finalized\"", StringComparison.Ordinal));

    /// <summary>The key that <see cref="Finish"/> signs with, as a JWKS.</summary>
    public static byte[] Jwks
    {
        get
        {
            var point = ResultKey.ExportParameters(false).Q;
            return Encoding.UTF8.GetBytes($$"""
                {"keys":[{"kty":"EC","crv":"P-256","kid":"k1","alg":"ES256","use":"sig",
                "x":"{{Base64Url.EncodeToString(point.X)}}","y":"{{Base64Url.EncodeToString(point.Y)}}"}]}
                """);
        }
    }

    /// <returns>An election that is over.</returns>
    public static Election Whole(Action<Election>? beforeEnd = null, Action<Election>? afterEnd = null)
    {
        var election = new Election();
        election.Publish(7);
        foreach (var partition in election.Partitions) Fill(election, partition);
        beforeEnd?.Invoke(election);
        election.Finish(7);
        afterEnd?.Invoke(election);
        return election;
    }

    public void Publish(int survey) => Say("survey.published", $"survey/{survey}", $$"""
        {"survey":"{{survey}}","startDate":"2026-01-15T10:30:00.123Z","title":"Ünï","resultsVisibility":"live",
        "liveBatchMin":1,"eligibility":{"verified":true},
        "questions":[{"id":"11","title":"Who?","min":1,"max":2,"order":0,"allowText":false,
        "options":[{"id":"101","text":"Homer","order":0},{"id":"102","text":"Ned","order":1},
        {"id":"103","text":"Moe","order":2}]}]}
        """);

    public void Dismiss(int partition, long offset) => Say(
        "staff.poison-dismissed", $"partition/{partition}", $$"""{"partition":{{partition}},"offset":{{offset}}}""");

    /// <summary>Signs the tallies of the partitions.</summary>
    public void Finish(
        int survey, long moreBallots = 0, string? votes = null, string? signed = null, long moreFence = 0)
    {
        var ballots = Partitions.Sum(one => one.Tally.GetValueOrDefault((survey, 0))) + moreBallots;
        votes ??= string.Join(',', new[] { 101, 102, 103 }.Select(option =>
            $"\"{option}\":{Partitions.Sum(one => one.Tally.GetValueOrDefault((survey, option)))}"));
        var fences = string.Join(',', Partitions.Where(one => one.Fences.ContainsKey(survey)).Select(one =>
            $$"""{"partition":{{one.Number}},"offset":{{one.Fences[survey] + moreFence}}}"""));
        var statement = Jws("survey-result+jwt", signed ?? $$$"""
            {"iss":"http://x","survey_id":"{{{survey}}}","status":"final","version":99,"final_at":1,
            "total_responses":{{{ballots}}},"votes":{{{{votes}}}}}
            """);
        Say("survey.finalized", $"survey/{survey}", $$$"""
            {"survey":"{{{survey}}}","version":99,"ballots":{{{ballots}}},"votes":{{{{votes}}}},
            "fences":[{{{fences}}}],"statement":"{{{statement}}}"}
            """);
    }

    public static string Jws(string type, string payload)
    {
        var signed = $"{Encode($$"""{"alg":"ES256","typ":"{{type}}","kid":"k1"}""")}.{Encode(payload)}";
        var signature = ResultKey.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private void Say(string type, string subject, string data) => Events.Add(Partition.Flat($$"""
        {"specversion":"1.0","type":"{{type}}","source":"/voting/x","subject":"{{subject}}","id":"id-{{_eventCount++}}",
        "time":"2026-01-15T10:30:00.123Z","actor":"a","actorrole":"system","datacontenttype":"application/json",
        "data":{{data}}}
        """));

    private static void Fill(Election election, Partition votes)
    {
        var first = votes.Number * 100;
        for (var voter = first; voter < first + 6; voter++)
            votes.Count(votes.Submit(voter, voter % 2 == 0 ? [101] : [101, 102]));
        // The same voter with another ballot, and with the same.
        votes.Reject(votes.Submit(first, 103), "duplicate");
        votes.Repeat(votes.Submit(first + 1, (first + 1) % 2 == 0 ? [101] : [101, 102]));
        votes.Outcomes.AddRange(votes.Outcomes[^3..]);
        votes.Reject(votes.Submit(first + 6, 101, 102, 103), "invalid");
        votes.Reject(votes.Submit(first + 7, 999), "invalid");
        var (junk, unreadable) = (votes.Junk(), votes.Submit(first + 8, 103));
        var elsewhere = votes.Submit(7, first + 9, votes.Number + 5, [101]);
        votes.Fence();
        votes.Fence();
        votes.Reject(votes.Submit(first + 10, 102), "after-close");
        // It was set aside, and counts behind the fence that it stood before.
        votes.Count(votes.Replay(unreadable));
        votes.Repeat(votes.Replay(unreadable));
        election.Dismiss(votes.Number, junk);
        election.Dismiss(votes.Number, elsewhere);
        votes.Say("rejected", votes.Replay(elsewhere, votes.Votes[(int)unreadable]), "invalid", like: unreadable);
        votes.Outcomes.AddRange(votes.Outcomes[^2..]);
    }
}
