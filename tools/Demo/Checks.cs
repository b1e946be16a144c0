namespace Demo;

/// <summary>One line of the report: something that must be so, and whether it is.</summary>
/// <param name="Name">What must be so.</param>
/// <param name="Agrees">Whether it is.</param>
/// <param name="Figures">By which numbers.</param>
internal sealed record Check(string Name, bool Agrees, string Figures);

/// <summary>Holds the books, the platform and its rows against each other.</summary>
internal static class Checks
{
    private const int ExamplesMax = 3;

    public static IReadOnlyList<Check> Of(ElectionOutcome election)
    {
        var (ledger, rows) = (election.Ledger, election.Rows);
        var counted = election.Counted;
        var own = Tally.Of(counted.Select(vote => vote.Ballot));
        var hostile = ledger.Sent.Keys.Count(what => what.StartsWith(HostileBallots.Prefix, StringComparison.Ordinal));
        return
        [
            new("Every answer is one that the contract allows", ledger.FaultCount == 0,
                $"{ledger.Sent.Values.Sum()} answers, {ledger.FaultCount} wrong"),
            new("Every kind of hostile ballot was tried and refused",
                hostile == election.HostileCount, $"{hostile} of {election.HostileCount} kinds"),
            new("Every accepted vote is counted, or rejected as a duplicate of one that is",
                counted.Count + election.Rejected.GetValueOrDefault("duplicate") == ledger.Accepted.Count,
                $"{ledger.Accepted.Count} accepted = {counted.Count} counted + {Join(election.Rejected, "rejected")}"),
            new("Every voter has one counted vote",
                counted.Count == election.VoterCount && counted.DistinctBy(vote => vote.Voter).Count() == counted.Count,
                $"{election.VoterCount} voters, {counted.Count} counted votes"),
            Same("The live tally's last word is what the voters cast", own, election.Live.Last),
            new("The live stream kept its promises", election.Live.Faults.Count == 0 && election.Live.Status is "final",
                election.Live.Faults.Count == 0
                    ? $"{election.Live.Count} tallies, {election.Live.Reconnects} reconnects"
                    : string.Join("; ", election.Live.Faults.Distinct().Take(ExamplesMax))),
            Same("The final result is what the voters cast", own, election.Final),
            AllPorts(election.Finals),
            Same("The recounted rows are what the voters cast", own, rows.Tally),
            Rows(rows),
            EachBallot(counted, rows),
            Rejected(election),
        ];
    }

    /// <summary>Of a survey of which only the result and the rows are known.</summary>
    public static IReadOnlyList<Check> Of(Tally result, RowCount rows) =>
        [Same("The recounted rows are the final result", result, rows.Tally), Rows(rows)];

    private static Check Same(string name, Tally expected, Tally? found)
    {
        if (found is null) return new(name, false, "there is none");
        var difference = expected.DiffersFrom(found);
        return new(name, difference is null, difference
            ?? $"{found.Ballots} ballots, {found.Votes.Values.Sum()} votes on "
                + $"{found.Votes.Values.Count(votes => votes > 0)} options");
    }

    private static Check AllPorts(IReadOnlyList<Answer> finals)
    {
        // Whole answers: a final result never changes, wherever it is read.
        var same = finals.Count(answer => answer.SaysTheSame(finals[0]));
        return new("Every public port shows the same final result", same == finals.Count, $"{same} of {finals.Count}");
    }

    private static Check Rows(RowCount rows) => new(
        "The rows hold one ballot a voter",
        rows.VoterCount == rows.Tally.Ballots && rows.Ballots.Count == rows.Tally.Ballots,
        $"{rows.Tally.Ballots} rows, {rows.VoterCount} voters, {rows.Ballots.Count} votes in "
            + $"{rows.Schemas.Count} shards");

    private static Check EachBallot(IReadOnlyList<AcceptedVote> counted, RowCount rows)
    {
        const string name = "Each row says what its voter chose, and there is no other";
        var altered = counted.Where(vote =>
            rows.Ballots.TryGetValue(vote.Id, out var row) && row != vote.Ballot.Content).ToList();
        var missing = counted.Where(vote => !rows.Ballots.ContainsKey(vote.Id)).ToList();
        var foreign = rows.Ballots.Keys.Except(counted.Select(vote => vote.Id), StringComparer.Ordinal).ToList();
        if (altered.Count + missing.Count + foreign.Count == 0) return new(name, true, $"{counted.Count} compared");
        var examples = altered.Concat(missing).Select(vote => vote.Id).Concat(foreign).Take(ExamplesMax);
        return new(name, false, $"{altered.Count} altered, {missing.Count} missing, {foreign.Count} that nobody cast: "
            + string.Join(", ", examples));
    }

    private static Check Rejected(ElectionOutcome election)
    {
        var rejected = election.Ledger.Accepted.Where(vote => vote.Status is not "counted").ToList();
        return new("Every rejected vote is kept with its reason",
            rejected.TrueForAll(vote => election.Rows.Rejected.Contains(vote.Id)),
            $"{rejected.Count} rejected; rows: {Join(election.Rows.Refused, "refused")}");
    }

    private static string Join<T>(IReadOnlyDictionary<string, T> numbers, string none) => numbers.Count == 0
        ? $"0 {none}" : string.Join(" + ", numbers.Select(number => $"{number.Value} {number.Key}"));
}
