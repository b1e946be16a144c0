using System.Collections.Concurrent;

namespace Audit;

/// <summary>
/// Verifies what logs show to everybody, over HTTP: the tree is built anew from the entries, and compared with the
/// signed root, with the tiles, with what an earlier run saw, and with the statements of results. Runs once.
/// </summary>
/// <param name="site">What is read.</param>
/// <param name="keys">What signatures are checked with.</param>
/// <param name="remembered">What an earlier run saw; takes what this one sees.</param>
/// <param name="results">Keys of final results; null when nobody gave them.</param>
/// <param name="cosignedWithin">So long a given witness has to sign the newest checkpoint of the log of logs.</param>
/// <param name="progress">Is told of entries.</param>
internal sealed class VerifyPublicLogs(
    PublicReads site, TrustedKeys keys, RememberedLogs remembered, ResultKeys? results, TimeSpan cosignedWithin,
    VerifyProgress progress)
{
    // Requests on their way for one log: enough to hide the way there, and no flood.
    private const int ReadAheadCountMax = 8;

    private const int BundleStrideBytes = sizeof(ushort) + Digest.Bytes;

    // Caches keep a checkpoint for a second.
    private static readonly TimeSpan CosignedPoll = TimeSpan.FromSeconds(1);

    private readonly PublicStatements _statements = new();
    private readonly ConcurrentDictionary<string, VerifiedLog> _verified = new(StringComparer.Ordinal);

    /// <summary>Verifies every log that is listed.</summary>
    /// <param name="parallelCountMax">Logs at once.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<VerificationReport> RunAsync(int parallelCountMax, CancellationToken cancel)
    {
        var report = new VerificationReport("url");
        try
        {
            var served = await site.StatementsAsync(cancel);
            var logs = await site.LogsAsync(cancel);
            RequireAll(logs, report);
            foreach (var log in logs) keys.TryTrustFirst(log.Origin, log.Vkey);
            if (served is null) report.Note("The site lists no statements of results: none was looked at.");
            _statements.Open(served ?? [], logs.Find(log => log.Name == LogName.Events), keys, report);
            await Parallel.ForEachAsync(
                logs, new ParallelOptions { MaxDegreeOfParallelism = parallelCountMax, CancellationToken = cancel },
                async (log, stop) => await report.CollectAsync(async () =>
                {
                    var verified = await VerifyAsync(log, report, stop);
                    _verified[log.Name] = verified;
                    report.Add(verified);
                }));
            _statements.Check(_verified, results, report);
        }
        catch (BrokenEvidenceException e)
        {
            report.Add(e.Finding);
        }

        report.Note("Over HTTP only entries, trees and signatures can be checked: events are in the archive.");
        return report;
    }

    /// <summary>
    /// A log that was there in an earlier run, or whose key was given, is listed; but for partitions of which only a
    /// key is known: they may have no votes.
    /// </summary>
    private void RequireAll(List<ListedLog> logs, VerificationReport report)
    {
        var listed = logs.Select(log => log.Origin).ToHashSet(StringComparer.Ordinal);
        foreach (var origin in remembered.Origins.Where(origin => !listed.Contains(origin)))
            Miss(LogName.Of(origin), Problems.Rollback, $"{origin} was there before and is not listed.");

        var given = keys.All.Where(key => key.Trust is KeyTrust.Given && !listed.Contains(key.Origin)
            && !remembered.Origins.Contains(key.Origin)).Select(key => key.Origin).ToArray();
        foreach (var origin in given.Where(origin => !LogName.TryPartition(LogName.Of(origin), out _)))
            Miss(LogName.Of(origin), Problems.Rollback, $"A key of {origin} was given, and it is not listed.");
        if (Array.FindAll(given, origin => LogName.TryPartition(LogName.Of(origin), out _)) is [var first, ..] empty)
        {
            report.Note($"{empty.Length} partitions whose key was given are not listed, as those are that have no "
                + $"votes; the first: {first}.");
        }

        if (keys.Witnesses.Count > 0 && logs.TrueForAll(log => log.Name != LogName.Checkpoints))
            Miss(LogName.Checkpoints, Problems.Witness, "It is not listed, so no witness has signed it.");

        void Miss(string log, string problem, string detail) =>
            report.Add(new Finding(log, null, null, problem, detail));
    }

    /// <summary>
    /// Of the log of logs, one that the given witnesses have signed. They sign after it was shown: until they have,
    /// newer ones are asked for.
    /// </summary>
    private async Task<SignedCheckpoint> CheckpointAsync(
        ListedLog log, IReadOnlyList<VerifierKey> known, VerificationReport report, CancellationToken cancel)
    {
        for (var waited = TimeSpan.Zero; ; waited += CosignedPoll)
        {
            var signed = await site.CheckpointAsync(log, cancel);
            if (signed.Checkpoint.Origin != log.Origin
                || signed.Verify([.. known, .. keys.Witnesses], out var witnesses) is not NoteVerdict.Verified)
            {
                throw Broken(log, null, "checkpoint", Problems.CheckpointSignature,
                    $"No known key of {log.Origin} signed the checkpoint.");
            }

            var absent = log.Name == LogName.Checkpoints ? keys.Witnesses.Except(witnesses).ToArray() : [];
            if (absent.Length == 0) return signed;
            if (waited >= cosignedWithin)
            {
                foreach (var witness in absent)
                {
                    report.Add(new Finding(
                        log.Name, null, PublicReads.Below(log, "checkpoint").ToString(), Problems.Witness,
                        $"{witness.Name} has not signed the newest checkpoint, of {signed.Checkpoint.Size} entries."));
                }

                return signed;
            }

            await site.PauseAsync(CosignedPoll, cancel);
        }
    }

    private async Task<VerifiedLog> VerifyAsync(ListedLog log, VerificationReport report, CancellationToken cancel)
    {
        if (!keys.TryTrustFirst(log.Origin, log.Vkey) || !keys.TryFind(log.Origin, out var known))
            throw Broken(log, null, "checkpoint", Problems.CheckpointSignature, $"No key of {log.Origin} was given.");
        var (origin, size, root) = (await CheckpointAsync(log, known, report, cancel)).Checkpoint;
        var seen = remembered.Find(origin);
        if (seen?.Size > size)
        {
            throw Broken(log, null, "checkpoint", Problems.Rollback,
                $"The log had {seen.Value.Size} entries in an earlier run and has {size}.");
        }

        var tree = await RebuildAsync(log, size, seen, cancel);
        if (tree.Root != root)
            throw Broken(log, null, "checkpoint", Problems.Root, "The entries do not make the signed tree.");
        remembered.Set(origin, size, root, known);
        return new(log.Name, origin, null, size, root);
    }

    private async Task<TreeFrontier> RebuildAsync(
        ListedLog log, long size, (long Size, Digest Root)? seen, CancellationToken cancel)
    {
        var tree = new TreeFrontier();
        var tiles = new TilesMade(size);
        var ahead = new Queue<(TileId Tile, Task<byte[]?> Bytes)>();
        try
        {
            for (long next = 0, bundles = (size + TileId.FullWidth - 1) / TileId.FullWidth; ;)
            {
                for (; next < bundles && ahead.Count < ReadAheadCountMax; next++)
                {
                    var wanted = new TileId(
                        TileId.EntriesLevel, next, TileId.WidthAt(TileId.EntriesLevel, next, size));
                    ahead.Enqueue((wanted, site.TileAsync(log, wanted, BundleStrideBytes, cancel)));
                }

                if (!ahead.TryDequeue(out var first)) break;
                var entries = Parse(log, first.Tile, await first.Bytes);
                Append(log, tree, tiles, entries, seen);
                foreach (var (tile, hashes) in tiles.Take()) await CompareAsync(log, tile, hashes, cancel);
                progress.Add(entries.Length);
            }
        }
        finally
        {
            await Task.WhenAll(ahead.Select(one => one.Bytes)).ContinueWith(
                static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }

        return tree;
    }

    private void Append(
        ListedLog log, TreeFrontier tree, TilesMade tiles, Digest[] entries, (long Size, Digest Root)? seen)
    {
        var watched = _statements.Find(log.Name);
        foreach (ref readonly var entry in entries.AsSpan())
        {
            tree.Append(entry, tiles.Hashes);
            watched?.Take(tree, entry);
            if (tree.Size == seen?.Size && tree.Root != seen.Value.Root)
            {
                throw Broken(log, tree.Size - 1, "checkpoint", Problems.Fork,
                    $"The first {tree.Size} entries are not those that an earlier run saw.");
            }
        }
    }

    private static Digest[] Parse(ListedLog log, TileId tile, byte[]? bytes) =>
        bytes is not null && EntryBundle.TryParse(bytes, tile.Width, out var entries)
            ? entries
            : throw Broken(log, tile.Index * TileId.FullWidth, tile.Path, Problems.Tile, bytes is null
                ? "The entries are not served." : "The entries cannot be read.");

    private async Task CompareAsync(ListedLog log, TileId tile, byte[] hashes, CancellationToken cancel)
    {
        var served = await site.TileAsync(log, tile, Digest.Bytes, cancel);
        if (served is not null && served.AsSpan().SequenceEqual(hashes)) return;
        throw Broken(log, null, tile.Path, Problems.Tile, served is null
            ? "The tile is not served." : "The tile does not hold what the entries make.");
    }

    private static BrokenEvidenceException Broken(
        ListedLog log, long? index, string path, string problem, string detail) =>
        new(new(log.Name, index, PublicReads.Below(log, path).ToString(), problem, detail));
}
