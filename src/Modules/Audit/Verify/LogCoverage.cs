namespace Audit;

/// <summary>
/// What the log of logs holds, against what the archive holds: one root covers every checkpoint, and no checkpoint that
/// was shown is gone. Filled before the other logs are read, so that they can only be ahead of it.
/// </summary>
internal sealed class LogCoverage
{
    /// <summary>So much older than the archive's newest one, a checkpoint has to be in the log of logs.</summary>
    private static readonly TimeSpan CoveredWithin = TimeSpan.FromHours(1);

    private readonly List<(string Log, long Number, Digest Note, long Index, string Key)> _entries = [];
    private readonly Dictionary<string, long> _newest = new(StringComparer.Ordinal);

    /// <summary>Takes an entry of the log of logs.</summary>
    public void Take(in ArchivedEntry entry)
    {
        _entries.Add((entry.Topic, entry.Offset, entry.Digest, entry.Index, entry.Key));
        // A log's checkpoints stand there without gap.
        _newest[entry.Topic] = entry.Offset;
    }

    /// <returns>Whether a log is known to have a checkpoint of that number.</returns>
    public bool Holds(string log, long number) => number <= _newest.GetValueOrDefault(log);

    /// <summary>Compares.</summary>
    /// <param name="logs">Of every other log, the notes of its checkpoints; null where there are none.</param>
    /// <param name="report">Takes what is wrong.</param>
    public void Check(IReadOnlyDictionary<string, VerifyLog?> logs, VerificationReport report)
    {
        foreach (var (log, number, note, index, key) in _entries)
        {
            if (!logs.TryGetValue(log, out var verified) || verified is null)
            {
                report.Add(new Finding(LogName.Checkpoints, index, key, Problems.Rollback,
                    $"Checkpoint {number} of {log} was shown, and the archive has no such log."));
            }
            else if (number > verified.Notes.Count)
            {
                // What is behind a broken place was not read.
                if (verified.IsBroken) continue;
                report.Add(new Finding(LogName.Checkpoints, index, key, Problems.Rollback,
                    $"Checkpoint {number} of {log} was shown, and the archive ends with {verified.Notes.Count}."));
            }
            else if (!verified.Notes[(int)number - 1].Contains(note))
            {
                report.Add(new Finding(LogName.Checkpoints, index, key, Problems.NotCovered,
                    $"Another checkpoint {number} of {log} was shown than the archive holds."));
            }
        }

        RequireCovered(logs, report);
    }

    /// <summary>By the archive's own times: a copy of it is judged the same years later.</summary>
    private void RequireCovered(IReadOnlyDictionary<string, VerifyLog?> logs, VerificationReport report)
    {
        var newest = logs.Values.SelectMany(log => log?.Trees ?? []).Select(tree => tree.At)
            .DefaultIfEmpty().Max();
        var uncovered = 0;
        foreach (var (log, verified) in logs)
        {
            var first = (int)_newest.GetValueOrDefault(log);
            if (verified is null || first >= verified.Trees.Count) continue;
            uncovered += verified.Trees.Count - first;
            if (newest - verified.Trees[first].At <= CoveredWithin) continue;
            report.Add(new Finding(
                log, null, ArchiveKey.Checkpoint(LogName.Folder(log), first + 1), Problems.NotCovered,
                $"Checkpoint {first + 1} is not in the log of logs, and the archive goes on for more than an hour."));
        }

        if (uncovered > 0)
            report.Note($"{uncovered} checkpoints are not in the log of logs: each log's newest ones.");
    }
}
