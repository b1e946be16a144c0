using Voting.Contracts;

namespace Audit;

/// <summary>
/// Brings the votes of one log together with their outcomes as they are archived, and holds them against the rows,
/// some at a time. Not thread safe.
/// </summary>
/// <remarks>
/// Only what the archive has an outcome for, or a later outcome behind, is compared: the rows of that were committed
/// before the outcome was told. So nothing of it can still be on its way.
/// </remarks>
internal sealed class LogReconciler
{
    // Before that, whatever has no outcome is as a rule about to get it.
    private static readonly TimeSpan TailAge = TimeSpan.FromSeconds(10);

    private readonly SealedLog _log;
    private readonly int _partition;
    private readonly ReconciledTable _table;
    private readonly VotingRows _rows;
    private readonly DifferenceTable _differences;
    private readonly DifferenceMetrics _metrics;
    private readonly ReconciliationOptions _options;
    private readonly TimeProvider _clock;
    private readonly SealedSegments _segments;
    private readonly SealedSource _votes;
    private readonly OutcomeSource _outcomes;
    private List<JudgedVote>? _held;
    private long _heldAt;
    private long _seen;
    private long? _from;
    private bool _isAligned;

    public LogReconciler(
        SealedLog log, ReconciledPlace place, ReconciledTable table, IArchiveStore store, VotingRows rows,
        DifferenceTable differences, DifferenceMetrics metrics, ReconciliationOptions options, TimeProvider clock)
    {
        (_log, Place, _table, _rows, _differences) = (log, place, table, rows, differences);
        (_metrics, _options, _clock) = (metrics, options, clock);
        var segments = _segments = new SealedSegments(log.Name, table.Database, store);
        (_partition, _seen) = (log.Sources[0].Partition!.Value, place.NextOffset);
        // A pass may go on behind segments that are in cold storage, and outcomes may lie in those.
        _isAligned = IsFollowing || place.NextOffset == 0;
        _votes = new(segments, log.Sources[0], place.NextOffset);
        _outcomes = new(
            log, new(segments, log.Sources[1], place.NextOutcome), table, rows, differences, options.OutcomeWaitMax,
            clock);
    }

    /// <summary>Where it stands.</summary>
    public ReconciledPlace Place { get; private set; }

    private bool IsFollowing => Place.Kind == ReconcileKinds.Follow;

    /// <summary>Whether the shard is behind what the archive says was counted.</summary>
    public bool IsHeld => _held is not null;

    /// <summary>Keeps no segment at hand that was read: every log's would be some ten megabytes.</summary>
    public void Forget() => _segments.Forget();

    /// <summary>Compares the next votes.</summary>
    /// <param name="until">Everything below is known to be decided.</param>
    /// <param name="countMax">Most votes.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>
    /// How many; 0 when nothing more can be compared now; null when somebody else has moved the place.
    /// </returns>
    /// <exception cref="DamagedSegmentException">The archive does not have what was sealed.</exception>
    public async Task<int?> StepAsync(long until, int countMax, CancellationToken cancel)
    {
        var votes = _held ?? await MatchAsync(until, countMax, cancel);
        await _outcomes.ReportAsync(cancel);
        if (votes.Count == 0) return IsFollowing ? await TailAsync(cancel) : 0;
        var (from, to) = (_from ?? Place.NextOffset, votes[^1].Offset + 1);
        var recorded = await RecordedAsync(from, to, cancel);
        if (recorded.NextOffset < to)
        {
            await HoldAsync(votes, recorded.NextOffset, cancel);
            return 0;
        }

        _held = null;
        return await CommitAsync(votes, CompareRows.Find(votes, recorded.Votes), cancel) ? votes.Count : null;
    }

    /// <summary>Compares every tally of the partition with what the archive gives.</summary>
    /// <returns>False when counting is too far ahead of the archive to tell.</returns>
    public async Task<bool> CompareTalliesAsync(CancellationToken cancel)
    {
        const int AheadCountMax = 100_000;
        var (surveys, next) = await _table.FiguresAsync(_log.Name, cancel);
        var stored = await _rows.Tallies(new(_partition, next, AheadCountMax), cancel);
        var strays = stored.Strays.Select(stray => new Difference(
            DifferenceKinds.RowStray, stray.Survey, stray.Offset,
            $"A row is stored of partition {stray.Partition}, and counting has not come to its offset."));
        await _differences.ReportAsync(
            new(DifferenceAreas.Reconciliation, _log.Name, [DifferenceKinds.RowStray], null, 0), [.. strays], cancel);
        if (stored.Since is not { } since || stored.NextOffset < next) return false;

        var found = new List<Difference>();
        var tallies = stored.Tallies.ToLookup(tally => tally.Survey);
        var added = since.ToDictionary(tally => tally.Survey);
        foreach (var survey in tallies.Select(tally => tally.Key).Union(surveys.Keys).Union(added.Keys))
        {
            var (ballots, votes) = Sum(tallies[survey], added.GetValueOrDefault(survey));
            var archived = surveys.GetValueOrDefault(survey) ?? new();
            if (ballots != archived.Counted)
            {
                found.Add(new(DifferenceKinds.TallyAltered, survey, null,
                    $"The tally has {ballots} ballots below offset {next}, the archive counts {archived.Counted}."));
            }
            else if (!votes.SequenceEqual(archived.Votes))
            {
                found.Add(new(DifferenceKinds.TallyAltered, survey, null,
                    $"The tally has other votes below offset {next} than the {ballots} archived ballots give."));
            }
        }

        await _differences.ReportAsync(
            new(DifferenceAreas.Reconciliation, _log.Name, [DifferenceKinds.TallyAltered], null, 0), found, cancel);
        return true;
    }

    private static (long Ballots, SortedDictionary<int, long> Votes) Sum(
        IEnumerable<PartitionTally> tallies, PartitionTally? added)
    {
        var (ballots, votes) = (0L, new SortedDictionary<int, long>());
        foreach (var tally in tallies) Add(tally, 1);
        if (added is not null) Add(added, -1);
        foreach (var option in votes.Where(vote => vote.Value == 0).Select(vote => vote.Key).ToArray())
            votes.Remove(option);
        return (ballots, votes);

        void Add(PartitionTally tally, int sign)
        {
            ballots += sign * tally.Ballots;
            foreach (var (option, count) in tally.Options.Zip(tally.Votes))
                votes[option] = votes.GetValueOrDefault(option) + sign * count;
        }
    }

    /// <returns>The next votes, each with its outcome; without where a later one has one, or it is below.</returns>
    private async Task<List<JudgedVote>> MatchAsync(long until, int countMax, CancellationToken cancel)
    {
        var matched = new List<JudgedVote>();
        if (!_isAligned) await AlignAsync(cancel);
        while (matched.Count < countMax)
        {
            var outcome = await _outcomes.NextAsync(_seen, isWhole: true, cancel);
            var hasVote = await _votes.TryPeekAsync(cancel);
            if (outcome is not null && outcome.Of < _votes.Next)
            {
                _outcomes.Refuse(outcome);
                continue;
            }

            if (!hasVote) break;
            var vote = _votes.Current;
            var record = JudgedRecord.Of(vote.Offset, vote.Event);
            var isDecided = outcome?.Of == vote.Offset;
            if (isDecided && !record.IsOf(outcome!))
            {
                _outcomes.Refuse(outcome!);
                continue;
            }

            // The end of a survey never gets an outcome: nothing is waited for.
            var isWaiting = outcome is null && (vote.Offset >= until || _outcomes.IsWaiting);
            if (isWaiting && record.Kind is not JudgedKind.Fence) break;
            matched.Add(new(record, isDecided ? outcome : null));
            _votes.Advance();
            if (isDecided) _outcomes.Advance();
            _seen = vote.Offset + 1;
        }

        return matched;
    }

    /// <summary>Passes over votes whose outcomes may have been left out: up to the first outcome at hand.</summary>
    private async Task AlignAsync(CancellationToken cancel)
    {
        if (await _outcomes.NextAsync(_seen, isWhole: false, cancel) is { } first)
        {
            while (await _votes.TryPeekAsync(cancel) && _votes.Current.Offset < first.Of) _votes.Advance();
            _seen = first.Of;
            _from = first.Of;
        }

        _isAligned = true;
    }

    /// <summary>
    /// Passes over what stands at the end and never gets an outcome, so that it is not read again and again; and says
    /// when one is missing for too long.
    /// </summary>
    private async Task<int?> TailAsync(CancellationToken cancel)
    {
        const int CountMax = 1_000;
        var now = _clock.GetUtcNow();
        if (!await _votes.TryPeekAsync(cancel) || _outcomes.IsWaiting) return 0;
        if (now - _votes.Current.SealedAt < TailAge) return 0;
        var end = _votes.Next + CountMax;
        var recorded = await RecordedAsync(Place.NextOffset, end, cancel);
        var setAside = recorded.Votes.Where(row => row.As is RecordedAs.SetAside).Select(row => row.Offset).ToHashSet();
        var passed = new List<JudgedVote>();
        while (await _votes.TryPeekAsync(cancel) && _votes.Next < Math.Min(end, recorded.NextOffset))
        {
            var (vote, record) = (_votes.Current, JudgedRecord.Of(_votes.Next, _votes.Current.Event));
            if (record.Kind is not JudgedKind.Fence && !setAside.Contains(vote.Offset))
            {
                if (now - vote.SealedAt > _options.OutcomeWaitMax) await MissAsync(record, cancel);
                break;
            }

            passed.Add(new(record, null));
            _votes.Advance();
            _seen = vote.Offset + 1;
        }

        if (passed.Count == 0) return 0;
        var found = CompareRows.Find(passed, recorded.Votes.Where(row => row.Offset < _seen));
        return await CommitAsync(passed, found, cancel) ? passed.Count : null;
    }

    /// <summary>The outcome may still come: then it is no more missing.</summary>
    private Task MissAsync(JudgedRecord record, CancellationToken cancel) => _differences.ReportAsync(
        At([DifferenceKinds.OutcomeMissing], record.Offset, record.Offset + 1),
        [new(
            DifferenceKinds.OutcomeMissing, record.Survey == 0 ? null : record.Survey, record.Offset,
            $"The record was counted, and its outcome is not archived after {_options.OutcomeWaitMax}.")],
        cancel);

    /// <summary>A shard that was restored counts anew what it has lost: it is given some time for that.</summary>
    private async Task HoldAsync(List<JudgedVote> votes, long counted, CancellationToken cancel)
    {
        if (_held is null) (_held, _heldAt) = (votes, _clock.GetTimestamp());
        if (_clock.GetElapsedTime(_heldAt) < _options.OutcomeWaitMax) return;
        var from = Place.NextOffset;
        await _differences.ReportAsync(
            At([DifferenceKinds.PositionBehind], from, from + 1),
            [new(
                DifferenceKinds.PositionBehind, null, from,
                $"Outcomes are archived up to offset {votes[^1].Offset}, and the shard has counted up to {counted}.")],
            cancel);
    }

    private async Task<RecordedVotes> RecordedAsync(long from, long to, CancellationToken cancel) =>
        await _rows.Votes(new(_partition, Floor(from), to), cancel);

    private async Task<bool> CommitAsync(List<JudgedVote> votes, List<Difference> found, CancellationToken cancel)
    {
        var next = Place with { NextOffset = votes[^1].Offset + 1, NextOutcome = _outcomes.Next };
        await using var connection = await _table.Database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        if (!await _table.MoveAsync(transaction, Place, next, cancel)) return false;
        if (IsFollowing) await ReconciledTable.AddAsync(transaction, _log.Name, SurveyFigures.Of(votes), cancel);
        var tell = await _differences.ReportAsync(
            transaction, At(DifferenceKinds.OfPlaces, Floor(_from ?? Place.NextOffset), next.NextOffset), found,
            cancel);
        await transaction.CommitAsync(CancellationToken.None);
        (Place, _from) = (next, null);
        foreach (var outcome in votes.CountBy(Outcome)) _metrics.Compared(next.Kind, outcome.Key, outcome.Value);
        tell();
        return true;
    }

    private static string Outcome(JudgedVote vote) => vote.Outcome?.As switch
    {
        RecordedAs.Counted => "counted",
        RecordedAs.Held => "held",
        RecordedAs.Rejected => "rejected",
        RecordedAs.Repeated => "repeated",
        _ => "none",
    };

    private LookedAt At(string[] kinds, long from, long to) =>
        new(DifferenceAreas.Reconciliation, _log.Name, kinds, from, to);

    // What no record can have is looked for with the first ones.
    private static long Floor(long offset) => offset == 0 ? long.MinValue : offset;
}
