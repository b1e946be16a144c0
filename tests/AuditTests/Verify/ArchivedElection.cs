using Audit;
using Microsoft.Extensions.Time.Testing;

namespace AuditTests;

/// <summary>An archive in a directory of its own, sealed as the platform seals, by whoever holds all keys.</summary>
/// <param name="prefix">What all origins begin with.</param>
/// <param name="pace">Between two checkpoints of a log.</param>
internal sealed class ArchivedElection(string prefix, TimeSpan pace) : IDisposable
{
    public const string Prefix = "voting.example";

    private static readonly DateTimeOffset Noon = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly List<(string Log, long Number, string Note)> _notes = [];
    private readonly SortedDictionary<string, CountedAt> _newest = new(StringComparer.Ordinal);

    private bool _hasCheckpoints;

    public string Root { get; } = Directory.CreateTempSubdirectory("verify-").FullName;

    public DirectoryArchive Store => new(Root);

    public static NoteSigner Signer(string log, string prefix = Prefix) => Signers.Log($"{prefix}/{log}");

    /// <summary>The keys of all logs.</summary>
    public static IReadOnlyList<VerifierKey> Keys { get; } =
        [.. new[] { "votes-00", "votes-01", "events", "checkpoints" }.Select(log => Signer(log).Verifier)];

    /// <param name="election">What is sealed.</param>
    /// <param name="segmentCountMax">Records of a source in one segment.</param>
    /// <param name="hasCheckpoints">Whether there is a log of logs.</param>
    /// <param name="outcomesFirst">Whether outcomes are sealed before their records.</param>
    /// <param name="isStated">Whether results are stated as well.</param>
    /// <param name="prefix">What all origins begin with.</param>
    /// <param name="pace">Between two checkpoints of a log; a second unless told.</param>
    public static async Task<ArchivedElection> SealAsync(
        Election election, int segmentCountMax = 4, bool hasCheckpoints = true, bool outcomesFirst = false,
        bool isStated = true, string prefix = Prefix, TimeSpan? pace = null)
    {
        var archive = new ArchivedElection(prefix, pace ?? TimeSpan.FromSeconds(1))
        {
            _hasCheckpoints = hasCheckpoints,
        };
        await archive.SealAsync("events", segmentCountMax, (new("domain-events", 0), election.Events));
        foreach (var votes in election.Partitions)
        {
            (EntrySource, List<byte[]>)[] sources =
                [(new("votes", votes.Number), votes.Votes), (new("vote-outcomes", votes.Number), votes.Outcomes)];
            if (outcomesFirst) Array.Reverse(sources);
            await archive.SealAsync($"votes-{votes.Number:00}", segmentCountMax, sources);
        }

        if (hasCheckpoints) await archive.SealCheckpointsAsync();
        if (isStated && election.Ends.Any()) await archive.StateAsync(election);
        return archive;
    }

    /// <summary>States the result of survey 7, as the platform does or otherwise.</summary>
    /// <param name="election">What was sealed.</param>
    /// <param name="said">Says something else of the result.</param>
    /// <param name="counted">Names another checkpoint.</param>
    /// <param name="at">Names another end.</param>
    /// <param name="survey">Is put where that survey's belongs.</param>
    /// <param name="signer">Another key.</param>
    public async Task StateAsync(
        Election election, Func<FinalFacts, FinalFacts>? said = null, Func<CountedAt, CountedAt?>? counted = null,
        Func<FinalSurvey, FinalSurvey>? at = null, int survey = 7, NoteSigner? signer = null)
    {
        var (index, end) = election.Ends.First();
        var facts = FinalFacts.Of(end);
        var statement = ResultStatement.Sign(
            (at ?? (one => one))(new(7, LogName.Events, index, Digest.Of(end), end)),
            (said ?? (one => one))(facts),
            _newest.Values.Where(one => one.Log != "checkpoints").Select(counted ?? (one => one)).OfType<CountedAt>(),
            Noon, signer ?? Signer(LogName.Events, prefix));
        var path = Path.Combine(Root, ResultStatement.Key(survey));
        if (File.Exists(path)) File.Delete(path);
        await Store.PutAsync(
            ResultStatement.Key(survey), statement, "x/y", TestContext.Current.CancellationToken);
    }

    /// <summary>Changes a file, though it is read-only.</summary>
    public void Change(string key, Func<byte[], byte[]> change)
    {
        var path = Path.Combine(Root, key);
        var bytes = File.ReadAllBytes(path);
        File.Delete(path);
        File.WriteAllBytes(path, change(bytes));
    }

    /// <summary>Keys of all objects.</summary>
    public string[] Files() => [.. Directory.GetFiles(Root, "*", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(Root, path)).Order(StringComparer.Ordinal)];

    /// <summary>Changes what a checkpoint says, and signs it again with the log's own key.</summary>
    public void Restate(string log, long number, Func<CheckpointStatement, CheckpointStatement> change) => Change(
        ArchiveKey.Checkpoint(LogName.Folder(log), number),
        bytes => CheckpointDocument.TryParse(bytes, out var document)
            ? CheckpointDocument.Sign(change(document.Statement), Signer(log, prefix)).Bytes.ToArray()
            : throw new InvalidOperationException("No checkpoint."));

    public void Dispose()
    {
        foreach (var file in Directory.GetFiles(Root, "*", SearchOption.AllDirectories)) File.Delete(file);
        Directory.Delete(Root, recursive: true);
    }

    public Task<VerificationReport> VerifyAsync(
        IReadOnlyList<VerifierKey>? keys = null, RememberedLogs? remembered = null, bool hasJwks = true,
        byte[]? jwks = null, TimeSpan? later = null, IArchiveStore? store = null)
    {
        remembered ??= new();
        var options = new VerifyArchiveOptions(
            new(keys ?? [.. Keys.Where(key => _hasCheckpoints || LogName.Of(key.Name) != LogName.Checkpoints)],
                remembered.Keys), remembered, hasJwks ? ResultKeys.Parse(jwks ?? Election.Jwks) : null, 2,
            Path.GetTempPath(), new FakeTimeProvider(Noon + (later ?? TimeSpan.FromMinutes(1))));
        return new VerifyArchive(store ?? Store, options, new()).RunAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Seals the checkpoints that were sealed before, in the log of logs.</summary>
    public Task SealCheckpointsAsync() => SealAsync("checkpoints", 4, [.. _notes
        .GroupBy(note => note.Log)
        .Select(log => (new EntrySource(log.Key, null),
            log.Select(note => System.Text.Encoding.UTF8.GetBytes(note.Note)).ToList()))]);

    private async Task SealAsync(
        string log, int segmentCountMax, params (EntrySource Source, List<byte[]> Records)[] sources)
    {
        var first = log == "checkpoints" ? 1 : 0;
        var (tree, last, number, previous) = (new TreeFrontier(), default(Digest), 0L, (Digest?)null);
        var next = new int[sources.Length];
        while (sources.Where((source, i) => next[i] < source.Records.Count).Any())
        {
            number++;
            using var segment = new SegmentWriter(tree.Size, last);
            var (ranges, size) = (new List<OffsetRange>(), tree.Size);
            for (var i = 0; i < sources.Length; i++)
            {
                var (source, records) = sources[i];
                var to = Math.Min(next[i] + segmentCountMax, records.Count);
                if (to == next[i]) continue;
                ranges.Add(new(source.Name, next[i] == 0 ? 0 : next[i] + first, to + first));
                for (; next[i] < to; next[i]++) tree.Append(segment.Add(source, next[i] + first, records[next[i]]));
            }

            last = segment.LastHash;
            var key = ArchiveKey.Segment(LogName.Folder(log), number);
            var packed = segment.Finish().ToArray();
            var put = await Store.PutAsync(key, packed, "x/y", TestContext.Current.CancellationToken);
            var signer = Signer(log, prefix);
            var note = SignedCheckpoint.Sign(new(signer.Verifier.Name, tree.Size, tree.Root), signer);
            var document = CheckpointDocument.Sign(
                new()
                {
                    Log = log,
                    Number = number,
                    Entries = tree.Size - size,
                    LastHash = last,
                    Offsets = sources.Select((source, i) => (source.Source.Name, next[i])).Where(one => one.Item2 > 0)
                        .ToDictionary(one => one.Name, one => (long)one.Item2 + first),
                    Ranges = ranges,
                    Segment = new(key, put.VersionId, Digest.Of(packed)),
                    Previous = previous,
                    Time = Noon + (number * pace),
                    Note = note,
                }, signer);
            await Store.PutAsync(
                ArchiveKey.Checkpoint(LogName.Folder(log), number), document.Bytes, "x/y",
                TestContext.Current.CancellationToken);
            previous = document.Digest;
            _newest[log] = new(log, number, note.Checkpoint);
            if (log != "checkpoints") _notes.Add((log, number, note.ToString()));
        }
    }
}
