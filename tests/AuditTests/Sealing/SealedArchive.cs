using System.Security.Cryptography;
using System.Text;
using Audit;

namespace AuditTests;

/// <summary>
/// One log as it lies in the archive, every promise about it checked: signatures, chain, tree, order, nothing twice.
/// </summary>
internal sealed class SealedArchive
{
    private SealedArchive(SealedLog log) => Log = log;

    public SealedLog Log { get; }

    public List<CheckpointDocument> Documents { get; } = [];

    public List<byte[]> Events { get; } = [];

    public List<(string Source, long Offset)> Places { get; } = [];

    public List<byte[]> Entries { get; } = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <param name="store">The archive.</param>
    /// <param name="log">Which log.</param>
    /// <param name="isPure">Whether nothing may lie there that no checkpoint names.</param>
    /// <param name="key">The log's key; null: the one of the tests.</param>
    public static async Task<SealedArchive> ReadAsync(
        IArchiveStore store, SealedLog log, bool isPure = true, VerifierKey? key = null)
    {
        var archive = new SealedArchive(log);
        var versions = new List<ArchivedVersion>();
        await foreach (var version in store.ListAsync($"{log.Folder}/", Cancel)) versions.Add(version);
        var keys = new[] { key ?? Signers.Log(log.Origin).Verifier };
        var (last, offsets) = (new byte[32], new Dictionary<string, long>());
        for (var number = 1L; ; number++)
        {
            var name = ArchiveKey.Checkpoint(log.Folder, number);
            var found = versions.Where(version => version.Key == name).ToArray();
            if (found.Length == 0) break;
            if (isPure) Assert.Single(found);
            // The log never signs another one; the same may be put again.
            foreach (var again in found[..^1])
            {
                var put = (await store.ReadAsync(name, again.VersionId, Cancel))!.Bytes;
                if (CheckpointDocument.TryParse(put, out var one) && one.IsSignedBy(keys))
                    Assert.Equal((await store.ReadAsync(name, found[^1].VersionId, Cancel))!.Bytes, put);
            }

            var content = await store.ReadAsync(name, found[^1].VersionId, Cancel);
            Assert.True(CheckpointDocument.TryParse(content!.Bytes, out var document), $"{name} is no checkpoint.");
            Assert.True(document.IsSignedBy(keys));
            last = await archive.AddAsync(store, document, number, last, offsets);
        }

        if (isPure) Assert.Equal(2 * archive.Documents.Count, versions.Count);
        return archive;
    }

    /// <summary>Compares it with what the log's sources hold.</summary>
    public void AssertHoldsOnce(SealingSite site)
    {
        foreach (var source in Log.Sources)
        {
            var appended = site.Appended(source);
            var places = Places.Index().Where(place => place.Item.Source == source.Name).ToArray();
            Assert.Equal(Enumerable.Range(0, appended.Count), places.Select(place => (int)place.Item.Offset));
            Assert.All(places, place => Assert.Equal(appended[(int)place.Item.Offset], Events[place.Index]));
        }

        Assert.Equal(Log.Sources.Sum(source => site.Appended(source).Count), Events.Count);
    }

    /// <summary>Compares tiles, rows and head with what the archive says.</summary>
    public async Task AssertIsInTablesAsync(SealingSite site, HeadTable heads, TileTable tiles)
    {
        var head = await heads.LoadAsync(Log.Name, Cancel);
        Assert.Equal(
            (Documents.Count, Entries.Count, Documents.Count), (head.Checkpoint, head.Size, head.Published));
        Assert.Equal(Documents[^1].Bytes.ToArray(), head.Document!.Bytes.ToArray());
        Assert.Equal(Documents[^1].Statement.Note.ToString(), await site.ReadAsync<string>(
            $"SELECT note FROM audit.heads WHERE log = '{Log.Name}'"));
        Assert.Equal(
            string.Join('\n', Documents.Select(one => one.Statement).Select(said =>
                $"{said.Number} {said.Size - said.Entries} {said.Entries} {said.Segment.Key} {said.Segment.VersionId} "
                + Convert.ToHexStringLower(said.Segment.Digest.Span))),
            await site.ReadAsync<string>($"""
                SELECT string_agg(concat_ws(' ', checkpoint, first_index, entries, object_key, version_id,
                    encode(digest, 'hex')), E'\n' ORDER BY checkpoint) FROM audit.segments WHERE log = '{Log.Name}'
                """));
        foreach (var (index, (source, offset)) in Places.Index())
        {
            Assert.Equal(index, await site.ReadAsync<long>($"""
                SELECT first_index + {offset} - greatest(first_offset, {(Log.Name == "checkpoints" ? 1 : 0)})
                FROM audit.ranges WHERE log = '{Log.Name}' AND source = '{source}' AND first_offset <= {offset}
                ORDER BY first_offset DESC LIMIT 1
                """));
        }

        await AssertTilesAsync(tiles);
    }

    private async Task AssertTilesAsync(TileTable table)
    {
        var tiles = TileId.Of(Entries.Count).ToArray();
        var hashes = await table.ReadAsync(Log.Name, tiles, Cancel);
        Assert.All(tiles.Zip(hashes), tile => Assert.Equal(Tile(tile.First), tile.Second.ToArray()));
        var bundles = tiles.Where(tile => tile.Level == 0).Select(tile => tile with { Level = TileId.EntriesLevel });
        var entries = await table.ReadAsync(Log.Name, [.. bundles], Cancel);
        Assert.Equal(Entries.SelectMany(entry => entry), entries.SelectMany(bundle => bundle.ToArray()));
        Assert.Equal(Digest.Sequence(NaiveTree.Root(Entries.ToArray()))[0], await TreeProofs.RootAsync(
            Entries.Count, table.Of(Log.Name), Cancel));
    }

    private byte[] Tile(TileId tile)
    {
        var span = 1 << (8 * tile.Level);
        var hashes = Enumerable.Range(0, tile.Width).Select(i =>
            NaiveTree.Root(Entries.ToArray().AsSpan((int)(((tile.Index * 256) + i) * span), span)));
        return [.. hashes.SelectMany(hash => hash)];
    }

    private async Task<byte[]> AddAsync(
        IArchiveStore store, CheckpointDocument document, long number, byte[] last, Dictionary<string, long> offsets)
    {
        var said = document.Statement;
        Assert.Equal((Log.Name, number, Log.Origin), (said.Log, said.Number, said.Note.Checkpoint.Origin));
        Assert.Equal(Documents.LastOrDefault()?.Digest, said.Previous);
        if (Documents.Count > 0) Assert.True(said.Time >= Documents[^1].Statement.Time);
        var segment = await store.ReadAsync(said.Segment.Key, said.Segment.VersionId, Cancel);
        Assert.True(segment!.Is(said.Segment.Digest.Span));
        var expected = said.Ranges.Select(range => range.Source).ToArray();
        // The sources of a log have an order, and so has everything that is sealed of them.
        Assert.Equal(Log.Sources.Select(source => source.Name).Where(expected.Contains), expected);
        foreach (var range in said.Ranges)
        {
            Assert.Equal(offsets.GetValueOrDefault(range.Source), range.From);
            offsets[range.Source] = range.To;
        }

        Assert.Equal(offsets.OrderBy(one => one.Key), said.Offsets.OrderBy(one => one.Key));
        var before = Entries.Count;
        using var reader = new SegmentReader(segment.Bytes);
        while (reader.TryRead(out var entry))
        {
            var bytes = entry.Event.ToArray();
            Assert.Equal(Entries.Count, entry.Index);
            Assert.Equal(last, entry.Previous.ToArray());
            last = SHA256.HashData([.. last, .. bytes]);
            Assert.Equal(last, entry.Hash.ToArray());
            Events.Add(bytes);
            Entries.Add(SHA256.HashData(bytes));
            Places.Add((entry.Source.Name, entry.Offset));
        }

        var order = Places.Skip(before)
            .Select(place => (Array.IndexOf(expected, place.Source), place.Offset)).ToArray();
        Assert.Equal(order.Order(), order);
        Assert.Equal((said.Size, said.Entries), (Entries.Count, Entries.Count - before));
        Assert.Equal(said.Root.ToArray(), NaiveTree.Root(Entries.ToArray()));
        Assert.Equal(said.LastHash.ToArray(), last);
        Documents.Add(document);
        return last;
    }

    /// <inheritdoc cref="AssertAllAsync(SealingSite, HeadTable, TileTable, bool, Func{SealedLog, VerifierKey})"/>
    public static Task<IReadOnlyList<SealedArchive>> AssertAllAsync(
        SealingSite site, Auditor auditor, bool isPure = true) =>
        AssertAllAsync(site, auditor.Heads, auditor.Tiles, isPure, log => Signers.Log(log.Origin).Verifier);

    /// <summary>Every promise, of every log.</summary>
    public static async Task<IReadOnlyList<SealedArchive>> AssertAllAsync(
        SealingSite site, HeadTable heads, TileTable tiles, bool isPure, Func<SealedLog, VerifierKey> keys)
    {
        var archives = new List<SealedArchive>();
        foreach (var log in SealingSite.Logs.All)
        {
            var archive = await ReadAsync(site.Store, log, isPure, keys(log));
            if (log != SealingSite.Logs.Checkpoints) archive.AssertHoldsOnce(site);
            if (archive.Documents.Count > 0) await archive.AssertIsInTablesAsync(site, heads, tiles);
            archives.Add(archive);
        }

        var notes = archives[..^1].SelectMany(archive => archive.Documents)
            .Select(document => document.Statement.Note.ToString());
        Assert.Equal(notes.Order(StringComparer.Ordinal),
            archives[^1].Events.Select(Encoding.UTF8.GetString).Order(StringComparer.Ordinal));
        return archives;
    }
}
