using System.Collections.Concurrent;

namespace Audit;

/// <summary>What a verification of an archive goes by.</summary>
/// <param name="Keys">What checkpoints are checked with.</param>
/// <param name="Remembered">What an earlier run saw; takes what this one sees.</param>
/// <param name="ResultKeys">Of final results; null when nobody gave them.</param>
/// <param name="ParallelCountMax">Logs at once.</param>
/// <param name="TemporaryDirectory">Takes what does not fit memory, 48 bytes a vote.</param>
/// <param name="Clock">Says whether the statement of a result may still be to come.</param>
internal sealed record VerifyArchiveOptions(
    TrustedKeys Keys, RememberedLogs Remembered, ResultKeys? ResultKeys, int ParallelCountMax,
    string TemporaryDirectory, TimeProvider Clock);

/// <summary>
/// Verifies an archive whole, from the store and public keys alone: every log, then that the votes in them came out as
/// the signed results say. Runs once.
/// </summary>
internal sealed class VerifyArchive(IArchiveStore store, VerifyArchiveOptions options, VerifyProgress progress)
{
    private readonly VerificationReport _report = new("archive");
    private readonly SurveyFacts _surveys = new();
    private readonly LogCoverage _coverage = new();
    private readonly ConcurrentDictionary<string, VerifyLog?> _logs = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, LeftOut> _leftOut = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<int, PartitionRecount> _partitions = new();

    private bool _hasCheckpoints;

    /// <exception cref="ArchiveStoreException">The store did not answer.</exception>
    public async Task<VerificationReport> RunAsync(CancellationToken cancel)
    {
        var statements = new VerifyStatements(store, options.Keys, _report);
        await statements.ListAsync(cancel);
        using var decided = new DecidedVotes(options.TemporaryDirectory);
        // In this order, so that each can only be ahead of those before it while the platform goes on: what is stated,
        // the checkpoints that were shown, the events that say how surveys ended, the votes.
        var isCovered = await VerifyAsync(LogName.Checkpoints, _coverage.Take, cancel);
        _hasCheckpoints = isCovered && _logs[LogName.Checkpoints] is not null;
        var hasEvents = await VerifyAsync(LogName.Events, _surveys.Take, cancel);
        var votes = await VoteLogsAsync(cancel);
        await Parallel.ForEachAsync(
            votes,
            new ParallelOptions { MaxDegreeOfParallelism = options.ParallelCountMax, CancellationToken = cancel },
            async (log, stop) => await RecountAsync(log, decided, stop));

        RequireRemembered();
        RequireGiven();
        if (isCovered) _coverage.Check(_logs.Where(log => log.Key != LogName.Checkpoints).ToDictionary(), _report);
        SayLeftOut();
        CheckDecided(decided, cancel);
        if (hasEvents && _partitions.Count == votes.Count(log => _logs[log] is not null))
            await CheckResultsAsync(statements, cancel);
        else
            _report.Note("Results were not compared: not every log could be read to its end.");
        _report.Use(options.Keys);
        return _report;
    }

    private async Task<List<string>> VoteLogsAsync(CancellationToken cancel)
    {
        var (found, others) = (new List<string>(), new List<string>());
        await foreach (var folder in store.FoldersAsync("votes", cancel))
            (LogName.TryPartition(folder, out _) ? found : others).Add(folder);
        if (others.Count > 0)
        {
            _report.Note($"{others.Count} folders below votes/ are no logs and were not looked at; "
                + $"the first: votes/{others[0]}.");
        }

        return found;
    }

    /// <returns>False when the log is broken. One that is not there yet is not.</returns>
    private Task<bool> VerifyAsync(string log, EntryVisitor visit, CancellationToken cancel) =>
        _report.CollectAsync(async () =>
        {
            var verify = new VerifyLog(
                store, log, options.Keys, options.Remembered, progress, number => IsKnown(log, number));
            _logs[log] = verify;
            var verified = await verify.RunAsync(visit, cancel);
            _leftOut[log] = verify.LeftOut;
            if (verified is not null) _report.Add(verified);
            else _logs[log] = null;
        });

    private async Task RecountAsync(string log, DecidedVotes decided, CancellationToken cancel)
    {
        LogName.TryPartition(log, out var partition);
        var recount = new PartitionRecount(log, partition, _surveys, decided);
        var isRead = await VerifyAsync(log, recount.Take, cancel);
        // Nothing in it is the log's: it has no votes, or is none of the platform's.
        if (_logs[log] is null) return;
        var isWhole = isRead && Finish(recount, log);
        _report.Add(recount.Counts);
        if (isWhole) _partitions[partition] = recount;
        foreach (var offset in recount.DismissedBallots)
        {
            _report.Note($"{log}: the record at offset {offset} reads as a ballot, and an operator settled that it "
                + "is none. Only the key of its MAC tells.");
        }
    }

    private bool Finish(PartitionRecount recount, string log)
    {
        try
        {
            recount.Finish();
            return true;
        }
        catch (BrokenEvidenceException e)
        {
            _report.Add(_logs[log]?.Locate(e.Finding) ?? e.Finding);
            return false;
        }
    }

    /// <summary>
    /// Who may only put can put anything anywhere, but cannot take away what the log of logs says that there is. So
    /// that decides what is missed and what is only left out. Where it could not be read nothing tells one from the
    /// other; of its own checkpoints it says nothing.
    /// </summary>
    private bool IsKnown(string log, long number) => log == LogName.Checkpoints
        ? number == 1
        : !_hasCheckpoints || _coverage.Holds(log, number);

    private void SayLeftOut()
    {
        foreach (var (log, leftOut) in _leftOut.OrderBy(log => log.Key, StringComparer.Ordinal))
        {
            if (leftOut.Note(log) is { } note) _report.Note(note);
        }
    }

    /// <summary>A log that was there in an earlier run cannot be gone.</summary>
    private void RequireRemembered()
    {
        foreach (var origin in options.Remembered.Origins)
        {
            var log = LogName.Of(origin);
            // One without an origin is broken from its first checkpoint on, which is said already.
            if (_logs.TryGetValue(log, out var found) && found is not null && (found.Origin ?? origin) == origin)
                continue;
            _report.Add(new Finding(
                log, 0, null, Problems.Rollback,
                $"{origin} was there in an earlier run, and is not in the archive."));
        }
    }

    /// <summary>
    /// Whose key was given has to be there, but for partitions without votes: of these the log of logs says whether
    /// there ever was a checkpoint.
    /// </summary>
    private void RequireGiven()
    {
        var saysAll = _logs[LogName.Checkpoints] is not null;
        foreach (var (origin, trust, _) in options.Keys.All)
        {
            var log = LogName.Of(origin);
            var found = _logs.GetValueOrDefault(log);
            if (trust is not KeyTrust.Given || options.Remembered.Origins.Contains(origin)
                || (found is null ? saysAll && LogName.TryPartition(log, out _) : (found.Origin ?? origin) == origin))
            {
                continue;
            }

            _report.Add(new Finding(
                log, 0, null, Problems.Rollback, $"A key of {origin} was given, and the archive holds no such log."));
        }
    }

    private void CheckDecided(DecidedVotes decided, CancellationToken cancel)
    {
        foreach (var (vote, problem, detail) in decided.Check(cancel))
        {
            var log = SealedLogs.NameOf(vote.Partition);
            var finding = new Finding(log, vote.Index, null, problem, detail);
            _report.Add(_logs[log]?.Locate(finding) ?? finding);
        }
    }

    private async Task CheckResultsAsync(VerifyStatements statements, CancellationToken cancel)
    {
        var recounted = new Dictionary<int, RecountedSurvey>();
        foreach (var (survey, part) in _partitions.Values.SelectMany(partition => partition.Surveys))
        {
            if (!recounted.TryGetValue(survey, out var whole)) recounted.Add(survey, whole = new());
            whole.Add(part);
        }

        var read = new ArchiveRead(_surveys, _logs, _partitions, recounted);
        var standings = await statements.RunAsync(read, options.Clock.GetUtcNow(), cancel);
        new ResultCheck(read, options.ResultKeys, _report).Check(standings);
    }
}
