using System.Globalization;

namespace Audit;

/// <summary>What an archive gave, which statements are compared with.</summary>
/// <param name="Surveys">How surveys ended.</param>
/// <param name="Logs">Every log, read to its end; null where the archive holds nothing of it.</param>
/// <param name="Partitions">What was counted in each.</param>
/// <param name="Recounted">The same by survey.</param>
internal sealed record ArchiveRead(
    SurveyFacts Surveys, IReadOnlyDictionary<string, VerifyLog?> Logs,
    IReadOnlyDictionary<int, PartitionRecount> Partitions, IReadOnlyDictionary<int, RecountedSurvey> Recounted);

/// <summary>
/// Compares the archived statements of final results with what the archive gives: who signed each, whether it says what
/// is counted, and whether the checkpoints that it names are there and hold all of it.
/// </summary>
internal sealed class VerifyStatements(IArchiveStore store, TrustedKeys keys, VerificationReport report)
{
    /// <summary>
    /// So long after all of a survey is archived its statement may be missing: what is archived has to be indexed
    /// first.
    /// </summary>
    public static readonly TimeSpan StatedWithin = TimeSpan.FromHours(1);

    private readonly SortedDictionary<int, List<ArchivedVersion>> _versions = [];
    private readonly Dictionary<int, ArchiveStoreException> _refusals = [];
    private readonly LeftOut _leftOut = new();

    /// <summary>
    /// Lists what there is. To be called before logs are read: of whatever is stated by now, they hold everything.
    /// </summary>
    public async Task ListAsync(CancellationToken cancel)
    {
        await foreach (var version in store.ListAsync(ResultStatement.KeyStart, cancel))
        {
            if (!TrySurvey(version.Key, out var survey))
                _leftOut.Add(version.Key);
            else if (_versions.TryGetValue(survey, out var versions))
                versions.Add(version);
            else
                _versions.Add(survey, [version]);
        }
    }

    /// <summary>Compares; what is wrong goes into the report.</summary>
    /// <param name="read">What was read since.</param>
    /// <param name="now">By which a statement may still be to come.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>By survey, of all that are final or have a statement.</returns>
    public async Task<IReadOnlyDictionary<int, ResultStanding>> RunAsync(
        ArchiveRead read, DateTimeOffset now, CancellationToken cancel)
    {
        var standings = new Dictionary<int, ResultStanding>();
        var known = read.Logs.GetValueOrDefault(LogName.Events)?.Origin is { } origin
            && keys.TryFind(origin, out var found) ? found : [];
        foreach (var (survey, versions) in _versions)
        {
            if (await CheckAsync(survey, versions, known, read, cancel) is { } standing)
                standings.Add(survey, standing);
        }

        foreach (var result in read.Surveys.Results)
        {
            if (standings.ContainsKey(result.Survey)) continue;
            var isLate = now - ArchivedAt(result, read) > StatedWithin;
            standings.Add(result.Survey, isLate ? ResultStanding.Broken : ResultStanding.NotYetStated);
            if (!isLate) continue;
            // Nobody can tell what it says.
            if (_refusals.TryGetValue(result.Survey, out var refusal)) throw refusal;
            if (_versions.ContainsKey(result.Survey))
            {
                Add(result.Survey, read, Problems.StatementSignature,
                    "is not signed by a known key of the log of events.");
            }
            else
            {
                Add(result.Survey, read, Problems.StatementMissing,
                    "is not there, though everything was archived more than an hour ago.");
            }
        }

        if (_leftOut.Note(ResultStatement.KeyStart) is { } note) report.Note(note);
        return standings;
    }

    /// <returns>Null when nothing that lies there is signed: it says nothing.</returns>
    private async Task<ResultStanding?> CheckAsync(
        int survey, List<ArchivedVersion> versions, IReadOnlyList<VerifierKey> known, ArchiveRead read,
        CancellationToken cancel)
    {
        var (signed, wrong) = (0, 0);
        foreach (var version in versions)
        {
            // Of what lies under the key, what is signed counts: anybody who may write can put more there, such as
            // another survey's statement.
            if (await OpenAsync(survey, version, known, cancel) is not { } payload
                || (StatedResult.TryParse(payload, out var of) && of.Survey != Text(survey)))
            {
                _leftOut.Add(version.Key);
                continue;
            }

            signed++;
            if (Contradiction(survey, payload, read) is not { } contradiction) continue;
            wrong++;
            Add(survey, read, Problems.Statement, contradiction);
        }

        if (signed == 0) return null;
        return wrong == 0 ? ResultStanding.Stated : ResultStanding.Broken;
    }

    /// <returns>What a statement says that is signed; null for everything else.</returns>
    private async Task<byte[]?> OpenAsync(
        int survey, ArchivedVersion version, IReadOnlyList<VerifierKey> known, CancellationToken cancel)
    {
        if (version.SizeBytes > ResultStatement.SizeBytesMax) return null;
        try
        {
            var content = await store.ReadAsync(version.Key, version.VersionId, cancel);
            return content is not null && ResultStatement.TryOpen(content.Bytes, known, out var payload)
                ? payload : null;
        }
        catch (ArchiveStoreException e) when (!e.IsTransient)
        {
            _leftOut.AddRefused();
            _refusals.TryAdd(survey, e);
            return null;
        }
    }

    private static string Text(int survey) => survey.ToString(CultureInfo.InvariantCulture);

    private static string? Contradiction(int survey, byte[] payload, ArchiveRead read)
    {
        if (!StatedResult.TryParse(payload, out var stated)) return "cannot be read.";
        if (read.Surveys.Final(survey) is not { } result) return "is of a survey that has no final result.";
        if (stated.EndLog != LogName.Events || !read.Surveys.IsEnd(survey, stated.EndIndex, stated.EndEntry))
            return $"names entry {stated.EndIndex} of {stated.EndLog} as the survey's end, which it is not.";
        if (stated.Signed != result.Statement || stated.Version != result.Version)
            return "holds another signed result than the survey's end.";
        return Miscount(stated, read.Recounted.GetValueOrDefault(survey, new())) ?? Uncovered(stated, result, read);
    }

    private static string? Miscount(StatedResult stated, RecountedSurvey counted)
    {
        if (stated.Ballots != counted.Ballots)
            return $"says {stated.Ballots} ballots, and {counted.Ballots} are counted.";
        foreach (var option in stated.Votes.Keys.Union(counted.Votes.Keys).Order())
        {
            var (said, votes) = (stated.Votes.GetValueOrDefault(option), counted.Votes.GetValueOrDefault(option));
            if (said != votes) return $"says {said} votes for option {option}, and {votes} are counted.";
        }

        return null;
    }

    /// <summary>The checkpoints are the archive's, and hold every ballot before the fences, and the end.</summary>
    private static string? Uncovered(StatedResult stated, SignedResult result, ArchiveRead read)
    {
        foreach (var (name, named) in stated.Checkpoints)
        {
            var number = $"names checkpoint {named.Number} of {name}";
            if (!read.Logs.TryGetValue(name, out var log) || log is null) return $"{number}, and there is no such log.";
            if (log.Origin != named.Origin) return $"{number} as one of {named.Origin}, and the log is {log.Origin}.";
            if (log.Tree(named.Number) is not { } tree)
                return $"{number}, and the archive ends with {log.Notes.Count}.";
            if (tree.Size != named.Size) return $"{number} with {named.Size} entries, and it has {tree.Size}.";
            if (tree.Root != named.Root) return $"{number} with another root than it has.";
        }

        if (!stated.Checkpoints.TryGetValue(LogName.Events, out var events) || events.Size <= stated.EndIndex)
            return "names no checkpoint that holds the survey's end.";
        foreach (var (partition, fence) in result.Fences)
        {
            var name = SealedLogs.NameOf(partition);
            if (!stated.Checkpoints.TryGetValue(name, out var named)) return $"names no checkpoint of {name}.";
            if (read.Logs[name]!.Tree(named.Number) is not { } tree || !Covers(tree, result, partition, fence, read))
                return $"names checkpoint {named.Number} of {name}, which does not hold all that was counted.";
        }

        return null;
    }

    private static bool Covers(
        in SealedTree tree, SignedResult result, int partition, long fence, ArchiveRead read) =>
        tree.RecordsEnd > fence && tree.Size > LastCounted(result.Survey, partition, read);

    /// <returns>The entry by which the survey's last ballot there was counted; -1 when none was.</returns>
    private static long LastCounted(int survey, int partition, ArchiveRead read) =>
        read.Partitions.TryGetValue(partition, out var recount)
            && recount.Surveys.TryGetValue(survey, out var counted) ? counted.LastCounted : -1;

    /// <returns>When the last of what a statement needs was sealed; the end of time while it is not.</returns>
    private static DateTimeOffset ArchivedAt(SignedResult result, ArchiveRead read)
    {
        var latest = First(LogName.Events, tree => tree.Size > result.Index);
        foreach (var (partition, fence) in result.Fences)
        {
            var at = First(SealedLogs.NameOf(partition), tree => Covers(tree, result, partition, fence, read));
            if (at > latest) latest = at;
        }

        return latest;

        DateTimeOffset First(string log, Predicate<SealedTree> holds)
        {
            var trees = read.Logs.GetValueOrDefault(log)?.Trees ?? [];
            var place = trees.FindIndex(holds);
            return place < 0 ? DateTimeOffset.MaxValue : trees[place].At;
        }
    }

    private void Add(int survey, ArchiveRead read, string problem, string detail) => report.Add(new Finding(
        LogName.Events, read.Surveys.Final(survey)?.Index, ResultStatement.Key(survey), problem,
        $"The statement of survey {survey} {detail}"));

    private static bool TrySurvey(string key, out int survey)
    {
        survey = 0;
        return key.Split('/') is [_, var id, _]
            && int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out survey)
            && key == ResultStatement.Key(survey);
    }
}
