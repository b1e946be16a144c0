namespace Audit;

/// <summary>
/// What the log of logs holds, against what the archive holds: one root covers every checkpoint, and no checkpoint that
/// was shown is gone. Filled before the other logs are read, so that they can only be ahead of it.
/// </summary>
internal sealed class LogCoverage
{
    private readonly List<(string Log, long Number, Digest Note, long Index, string Key)> _entries = [];

    /// <summary>Takes an entry of the log of logs.</summary>
    public void Take(in ArchivedEntry entry) =>
        _entries.Add((entry.Topic, entry.Offset, entry.Digest, entry.Index, entry.Key));

    /// <summary>Compares.</summary>
    /// <param name="logs">Of every other log, the notes of its checkpoints; null where it could not be read.</param>
    /// <param name="report">Takes what is wrong.</param>
    public void Check(IReadOnlyDictionary<string, VerifyLog?> logs, VerificationReport report)
    {
        var covered = 0L;
        foreach (var (log, number, note, index, key) in _entries)
        {
            if (!logs.TryGetValue(log, out var verified))
            {
                report.Add(new Finding(LogName.Checkpoints, index, key, Problems.Rollback,
                    $"Checkpoint {number} of {log} was shown, and the archive has no such log."));
            }
            else if (verified is null || verified.IsBroken && number > verified.Notes.Count)
            {
                continue;
            }
            else if (number > verified.Notes.Count)
            {
                report.Add(new Finding(LogName.Checkpoints, index, key, Problems.Rollback,
                    $"Checkpoint {number} of {log} was shown, and the archive ends with {verified.Notes.Count}."));
            }
            else if (!verified.Notes[(int)number - 1].Contains(note))
            {
                report.Add(new Finding(LogName.Checkpoints, index, key, Problems.NotCovered,
                    $"Another checkpoint {number} of {log} was shown than the archive holds."));
            }
            else
            {
                covered++;
            }
        }

        var uncovered = logs.Values.Sum(log => log?.Notes.Count ?? 0) - covered;
        if (uncovered > 0)
            report.Note($"{uncovered} checkpoints are not in the log of logs yet: each log's newest ones.");
    }
}
