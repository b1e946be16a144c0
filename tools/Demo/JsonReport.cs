namespace Demo;

/// <summary>The whole report for programs.</summary>
internal sealed class JsonReport(ElectionOutcome election, IReadOnlyList<Check> checks)
{
    public object Survey => new { election.Survey.Id, election.Survey.Title };

    public int Voters => election.VoterCount;

    /// <summary>Requests by what they were.</summary>
    public IReadOnlyDictionary<string, long> Sent => election.Ledger.Sent;

    /// <summary>Requests that had to be sent again, by the reason.</summary>
    public IReadOnlyDictionary<string, long> SentAgain => election.Ledger.Again;

    /// <summary>Every kind of answer, refusals with their problem's type.</summary>
    public IEnumerable<object> Answers => election.Ledger.Answers.Select(one =>
        new { one.Key.What, one.Key.Status, one.Key.Problem, Count = one.Value });

    /// <summary>Votes with a receipt.</summary>
    public long Accepted => election.Ledger.AcceptedCount;

    public int Counted => election.Counted.Count;

    /// <summary>Votes that were accepted and are not counted, by the reason.</summary>
    public IReadOnlyDictionary<string, int> RejectedAfterAcceptance => election.Rejected;

    public IEnumerable<object> Questions => election.Survey.Questions.Select(question => new
    {
        question.Id,
        question.Title,
        Options = question.Options.Select(option => new
        {
            option.Id,
            option.Text,
            Live = election.Live.Last?.VotesOf(option.Id),
            Final = election.Final.VotesOf(option.Id),
            Rows = election.Rows.Tally.VotesOf(option.Id),
        }),
    });

    public object CastLatencyMs
    {
        get
        {
            var (half, most) = Tables.Latency(election.Ledger);
            return new { P50 = Math.Round(half, 3), P99 = Math.Round(most, 3) };
        }
    }

    public double CastSeconds => Math.Round(election.CastTime.TotalSeconds, 3);

    public double FinalSeconds => Math.Round(election.FinalTime.TotalSeconds, 3);

    public IReadOnlyCollection<string> Faults => election.Ledger.Faults;

    public IReadOnlyList<Check> Checks => checks;

    public bool Agrees => checks.All(check => check.Agrees);
}
