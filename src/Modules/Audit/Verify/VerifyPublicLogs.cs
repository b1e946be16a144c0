namespace Audit;

/// <summary>
/// Verifies what logs show to everybody, over HTTP: the tree is built anew from the entries, and compared with the
/// signed root, with the tiles, and with what an earlier run saw.
/// </summary>
internal sealed class VerifyPublicLogs(
    PublicReads site, TrustedKeys keys, RememberedLogs remembered, VerifyProgress progress)
{
    // Requests on their way for one log: enough to hide the way there, and no flood.
    private const int ReadAheadCountMax = 8;

    private const int BundleStrideBytes = sizeof(ushort) + Digest.Bytes;

    /// <summary>Verifies every log that is listed.</summary>
    /// <param name="parallelCountMax">Logs at once.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<VerificationReport> RunAsync(int parallelCountMax, CancellationToken cancel)
    {
        var report = new VerificationReport("url");
        try
        {
            var logs = await site.LogsAsync(cancel);
            RequireAll(logs, report);
            await Parallel.ForEachAsync(
                logs, new ParallelOptions { MaxDegreeOfParallelism = parallelCountMax, CancellationToken = cancel },
                async (log, stop) => await report.CollectAsync(async () => report.Add(await VerifyAsync(log, stop))));
        }
        catch (BrokenEvidenceException e)
        {
            report.Add(e.Finding);
        }

        report.Note("Over HTTP only entries, trees and signatures can be checked: events are in the archive.");
        return report;
    }

    /// <summary>A log that was there in an earlier run cannot be gone.</summary>
    private void RequireAll(List<ListedLog> logs, VerificationReport report)
    {
        foreach (var origin in remembered.Origins.Except(logs.Select(log => log.Origin), StringComparer.Ordinal))
        {
            report.Add(new Finding(
                LogName.Of(origin), null, null, Problems.Rollback, $"{origin} was there before and is not listed."));
        }
    }

    private async Task<VerifiedLog> VerifyAsync(ListedLog log, CancellationToken cancel)
    {
        if (!keys.TryTrustFirst(log.Origin, log.Vkey) || !keys.TryFind(log.Origin, out var known))
            throw Broken(log, null, "checkpoint", Problems.CheckpointSignature, $"No key of {log.Origin} was given.");
        var signed = await site.CheckpointAsync(log, cancel);
        var (origin, size, root) = signed.Checkpoint;
        if (origin != log.Origin || signed.Verify([.. known, .. keys.Witnesses], out _) is not NoteVerdict.Verified)
        {
            throw Broken(log, null, "checkpoint", Problems.CheckpointSignature,
                $"No known key of {log.Origin} signed the checkpoint.");
        }

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

    private static void Append(
        ListedLog log, TreeFrontier tree, TilesMade tiles, Digest[] entries, (long Size, Digest Root)? seen)
    {
        foreach (ref readonly var entry in entries.AsSpan())
        {
            tree.Append(entry, tiles.Hashes);
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
