using System.Globalization;

namespace Audit;

/// <summary>
/// Compares the statements of final results that a site serves with its logs: who signed each, and whether the trees
/// that it names are those that the logs grew from. Safe for use by many threads once it is opened.
/// </summary>
internal sealed class PublicStatements
{
    private readonly List<(ServedStatement Served, StatedResult Stated)> _opened = [];
    private readonly Dictionary<string, WatchedTree> _trees = new(StringComparer.Ordinal);

    /// <summary>Takes those that are signed, before the logs are read.</summary>
    /// <param name="served">Read before the logs were listed, so that these can only be ahead.</param>
    /// <param name="events">The log whose key signs them; null where none is listed.</param>
    /// <param name="keys">That it is checked with.</param>
    /// <param name="report">Takes what is wrong.</param>
    public void Open(
        List<ServedStatement> served, ListedLog? events, TrustedKeys keys, VerificationReport report)
    {
        IReadOnlyList<VerifierKey> known =
            events is not null && keys.TryFind(events.Origin, out var found) ? found : [];
        foreach (var one in served)
        {
            if (one.File is null || !ResultStatement.TryOpen(one.File, known, out var payload))
            {
                report.Add(Broken(one, Problems.StatementSignature, one.File is null
                    ? "is listed and not served."
                    : "is not signed by a known key of the log of events: give every key that it had."));
            }
            else if (!StatedResult.TryParse(payload, out var stated))
            {
                report.Add(Broken(one, Problems.Statement, "cannot be read."));
            }
            else
            {
                _opened.Add((one, stated));
                foreach (var named in stated.Checkpoints.Values) Of(named.Log).Roots[named.Size] = null;
                Of(stated.EndLog).Entries[stated.EndIndex] = null;
            }
        }
    }

    /// <returns>What of a log is to be written down while it is read.</returns>
    public WatchedTree? Find(string log) => _trees.GetValueOrDefault(log);

    /// <summary>Compares.</summary>
    /// <param name="logs">Those that were read to their end.</param>
    /// <param name="results">Keys of final results; null when nobody gave them.</param>
    /// <param name="report">Takes what is wrong.</param>
    public void Check(IReadOnlyDictionary<string, VerifiedLog> logs, ResultKeys? results, VerificationReport report)
    {
        foreach (var (served, stated) in _opened)
        {
            if (Contradiction(served.Survey, stated, logs, results) is { } wrong)
                report.Add(Broken(served, Problems.Statement, wrong));
        }

        if (_opened.Count > 0)
            report.Note($"{_opened.Count} statements of results are signed and compared with the logs.");
        if (_opened.Count > 0 && results is null)
            report.Note("Signatures of the results within were not checked: give --jwks.");
    }

    private string? Contradiction(
        int survey, StatedResult stated, IReadOnlyDictionary<string, VerifiedLog> logs, ResultKeys? results)
    {
        if (stated.Survey != survey.ToString(CultureInfo.InvariantCulture))
            return $"is of survey {stated.Survey}.";
        foreach (var (name, named) in stated.Checkpoints)
        {
            var number = $"names checkpoint {named.Number} of {name}";
            if (!logs.TryGetValue(name, out var log)) return $"{number}, and no such log could be read.";
            if (log.Origin != named.Origin) return $"{number} as one of {named.Origin}, and the log is {log.Origin}.";
            if (Of(name).Roots[named.Size] is not { } root)
                return $"{number} with {named.Size} entries, and the log has {log.Size}.";
            if (root != named.Root) return $"{number} with another root than its entries make.";
        }

        if (stated.EndLog != LogName.Events || !stated.Checkpoints.TryGetValue(LogName.Events, out var events)
            || events.Size <= stated.EndIndex || Of(LogName.Events).Entries[stated.EndIndex] != stated.EndEntry)
        {
            return $"names entry {stated.EndIndex} of {stated.EndLog} as the survey's end, which it is not.";
        }

        return ResultCheck.Contradiction(
            new(survey, stated.Version, stated.Ballots, stated.Votes.ToDictionary(), [], stated.Signed,
                stated.EndIndex, ""), results);
    }

    private WatchedTree Of(string log)
    {
        if (!_trees.TryGetValue(log, out var tree)) _trees.Add(log, tree = new());
        return tree;
    }

    private static Finding Broken(ServedStatement served, string problem, string detail) => new(
        LogName.Events, null, served.Address.ToString(), problem, $"The statement of survey {served.Survey} {detail}");
}

/// <summary>Of one log, what statements name. Filled by the one that reads the log.</summary>
internal sealed class WatchedTree
{
    /// <summary>By size of the tree; null until it was read so far.</summary>
    public Dictionary<long, Digest?> Roots { get; } = [];

    /// <summary>By index.</summary>
    public Dictionary<long, Digest?> Entries { get; } = [];

    /// <summary>Takes an entry that was just added.</summary>
    public void Take(TreeFrontier tree, in Digest entry)
    {
        if (Roots.ContainsKey(tree.Size)) Roots[tree.Size] = tree.Root;
        if (Entries.ContainsKey(tree.Size - 1)) Entries[tree.Size - 1] = entry;
    }
}
