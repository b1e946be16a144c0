using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Audit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Testing;

namespace AuditTests;

/// <summary>The archive is verified by itself: what is damaged is found, named, and told once.</summary>
public sealed class BackgroundVerificationTests(Postgres postgres) : IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("verify-always-").FullName;
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly RandomNumberGenerator _random = RandomNumberGenerator.Create();
    private readonly FakeTimeProvider _clock = new(TimeProvider.System.GetUtcNow());
    private SealingSite _site = null!;
    private AuditDatabase _database = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _site = await SealingSite.OpenAsync(postgres, new DirectoryArchive(_root));
        _database = new(
            SealingSite.Shards(_site.Database.ConnectionString),
            Options.Create(SealingSite.Connection(_site.Database.ConnectionString)));
        _site.Start();
        // Of 40 entries each, so that the third one of a log has a tile and a part of one before it.
        await _site.AppendAsync("votes", 0, 330);
        await _site.AppendEverywhereAsync(3);
        await _site.SettledAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _site.DisposeAsync();
        await _database.DisposeAsync();
        await _services.DisposeAsync();
        _random.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task What_is_whole_verifies_and_going_on_after_an_end_looks_at_nothing_twice()
    {
        await (await StartAsync()).RecentAsync(Cancel);
        await PassAsync();
        Assert.Equal("", await OpenAsync());
        Assert.True(await _site.ReadAsync<bool>("""
            SELECT bool_and(v.checkpoint = CASE kind WHEN 'recent' THEN published ELSE 0 END
                AND completed_at IS NOT NULL) AND count(*) = 2 * (SELECT count(*) FROM audit.heads)
            FROM audit.verified v JOIN audit.heads USING (log)
            """));

        // A pass that ended in the middle goes on there: what is damaged before is left to the next one.
        await _site.ExecuteAsync("""
            UPDATE audit.verified SET checkpoint = 5, completed_at = NULL WHERE kind = 'pass' AND log = 'votes-00'
            """);
        Flip(Segment(2));
        await RoundAsync(await StartAsync());
        Assert.Equal("", await OpenAsync());
        await PassAsync();
        Assert.Equal("segment-digest votes-00 2", await OpenAsync());
    }

    [Fact]
    public async Task Each_damage_is_found_by_the_next_pass_named_and_told_once_and_told_again_when_it_is_gone()
    {
        await PassAsync();
        var checkpoint = ArchiveKey.Checkpoint("votes/votes-00", 4);
        (string Found, Action Damage)[] files =
        [
            ("segment-digest votes-00 3", () => Flip(Segment(3))),
            ("segment-missing votes-00 5", () => Delete(Segment(5))),
            ("checkpoint-signature votes-00 4", () => Unsign(checkpoint)),
            ("checkpoint-missing votes-00 4", () => Delete(checkpoint)),
            ("checkpoint-signature votes-00 4", () => SignAnew(checkpoint, isByTheLogToo: false)),
            ("checkpoint-signature votes-00 4", () => SignAnew(checkpoint, isByTheLogToo: true)),
        ];
        foreach (var (found, damage) in files)
        {
            var before = Directory.GetFiles(_root, "*", SearchOption.AllDirectories)
                .ToDictionary(file => file, File.ReadAllBytes);
            damage();
            await PassAsync();
            await PassAsync();
            Assert.Equal(found, await OpenAsync());
            foreach (var (file, bytes) in before) Write(file, bytes);
            await PassAsync();
            Assert.Equal("", await OpenAsync());
        }

        Assert.Equal(
            string.Join("; ", files.Select(_ => "audit.verification-failed; audit.verification-restored")),
            await _site.ReadAsync<string>("""
                SELECT string_agg(convert_from(event, 'UTF8')::jsonb ->> 'type', '; ' ORDER BY number)
                FROM audit.outbox
                """));
    }

    [Fact]
    public async Task What_is_shown_and_is_not_what_is_archived_is_found_right_after_it_is_published()
    {
        await (await StartAsync()).RecentAsync(Cancel);
        Assert.Equal("", await OpenAsync());
        await _site.AppendAsync("votes", 1, 5);
        await _site.SettledAsync();
        await _site.ExecuteAsync("""
            UPDATE audit.tiles SET hashes = set_byte(hashes, octet_length(hashes) - 1,
                get_byte(hashes, octet_length(hashes) - 1) # 1)
            WHERE log = 'votes-01' AND level = -1
            """);
        await (await StartAsync()).RecentAsync(Cancel);
        Assert.StartsWith("tile votes-01", await OpenAsync(), StringComparison.Ordinal);

        await _site.AppendAsync("domain-events", 2, 3);
        await _site.SettledAsync();
        await _site.ExecuteAsync("""
            UPDATE audit.heads SET note = (SELECT note FROM audit.heads WHERE log = 'votes-00') WHERE log = 'events'
            """);
        await (await StartAsync()).RecentAsync(Cancel);
        Assert.Contains("checkpoint-signature events", await OpenAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Segments_in_cold_storage_are_passed_over_and_what_their_checkpoints_sign_is_not()
    {
        var cold = new ColdStore(_site.Store, key => key.EndsWith("segment.ndjson.zst", StringComparison.Ordinal));
        Flip(Segment(2));
        await PassAsync(cold);
        Assert.Equal("", await OpenAsync());

        await _site.ExecuteAsync("""
            UPDATE audit.tiles SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)
            WHERE log = 'votes-00' AND level = -1 AND index = 0
            """);
        await PassAsync(cold);
        // Whether the tiles or the tree is another one, only the entries could tell.
        Assert.StartsWith("fork votes-00 1", await OpenAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_object_that_the_store_refuses_keeps_no_other_log_waiting()
    {
        var refusing = new ColdStore(_site.Store, key => key == Segment(2), isCold: false);
        await (await StartAsync(store: refusing)).RecentAsync(Cancel);
        await PassAsync(refusing);
        Assert.Equal("", await OpenAsync());
        Assert.Equal("votes-00 pass; votes-00 recent", await _site.ReadAsync<string>("""
            SELECT string_agg(concat_ws(' ', log, kind), '; ' ORDER BY kind)
            FROM audit.verified WHERE completed_at IS NULL
            """));

        await (await StartAsync()).RecentAsync(Cancel);
        await PassAsync();
        Assert.True(await _site.ReadAsync<bool>("SELECT bool_and(completed_at IS NOT NULL) FROM audit.verified"));
    }

    [Fact]
    public async Task Only_the_newest_entries_are_verified_at_once()
    {
        Flip(Segment(2));
        await (await StartAsync(new() { RecentEntryCountMax = 60 })).RecentAsync(Cancel);
        Assert.Equal("", await OpenAsync());
        Assert.Equal(await _site.ReadAsync<long>("SELECT published FROM audit.heads WHERE log = 'votes-00'"),
            await _site.ReadAsync<long>(
                "SELECT checkpoint FROM audit.verified WHERE log = 'votes-00' AND kind = 'recent'"));
    }

    [Fact]
    public async Task A_trees_right_edge_is_made_from_its_tiles()
    {
        var tiles = new TileTable(_database);
        var entries = (await SealedArchive.ReadAsync(_site.Store, SealingSite.Logs.Votes[0])).Entries;
        var grown = new TreeFrontier();
        for (var size = 0; size <= entries.Count; size++)
        {
            if (size % 37 is 0 or 1 || size is 255 or 256 or 257)
            {
                var read = await TreeProofs.FrontierAsync(size, tiles.Of("votes-00"), Cancel);
                Assert.Equal(grown.ToArray(), read.ToArray());
            }

            if (size < entries.Count) grown.Append(Digest.Sequence(entries[size])[0]);
        }
    }

    private static string Segment(long number) => ArchiveKey.Segment("votes/votes-00", number);

    /// <summary>A process that verifies: another one each time.</summary>
    private async Task<VerifyCheckpoints> StartAsync(
        VerificationOptions? options = null, IArchiveStore? store = null)
    {
        var metrics = new DifferenceMetrics(_services.GetRequiredService<IMeterFactory>());
        var differences = new DifferenceTable(
            _database, new(_random, _clock), metrics, NullLogger<DifferenceTable>.Instance);
        var check = new CheckpointCheck(
            store ?? _site.Store, new(_database), new(_database), SealingSite.Verifiers, metrics);
        // Whoever did it before is gone.
        await _site.ExecuteAsync("UPDATE audit.verified SET claimant = NULL, claimed_until = NULL");
        return new(
            _database, SealingSite.Logs, check, differences, metrics,
            Options.Create(options ?? new() { PassEntriesPerSecondMax = 1_000_000 }), _clock,
            NullLogger<VerifyCheckpoints>.Instance);
    }

    /// <summary>Everything is verified again, once.</summary>
    private async Task PassAsync(IArchiveStore? store = null)
    {
        _clock.Advance(TimeSpan.FromDays(2));
        var process = await StartAsync(store: store);
        foreach (var _ in SealingSite.Logs.All) await RoundAsync(process);
    }

    private async Task RoundAsync(VerifyCheckpoints process)
    {
        var pass = process.PassAsync(Cancel);
        while (!pass.IsCompleted)
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(pass, Task.Delay(2, Cancel));
        }

        await pass;
    }

    /// <summary>Flips a bit that no reader of segments passes over.</summary>
    private void Flip(string key) => Change(key, bytes => bytes[0] ^= 1);

    /// <summary>Puts another signature under a checkpoint.</summary>
    private void Unsign(string key) => Change(key, bytes =>
    {
        var at = bytes.AsSpan().IndexOf("\"signature\":\""u8) + 13;
        bytes[at] = bytes[at] == (byte)'A' ? (byte)'B' : (byte)'A';
    });

    /// <summary>Replaces a checkpoint by one that a key of somebody else signs, all else being as it was.</summary>
    private void SignAnew(string key, bool isByTheLogToo)
    {
        Assert.True(CheckpointDocument.TryParse(File.ReadAllBytes(Path.Combine(_root, key)), out var document));
        var said = document.Statement;
        var tree = said.Note.Checkpoint;
        var other = Signers.Log(tree.Origin, 1);
        NoteSigner[] signers = isByTheLogToo ? [other, Signers.Log(tree.Origin)] : [other];
        var note = SignedCheckpoint.Sign(tree, signers);
        Write(Path.Combine(_root, key), CheckpointDocument.Sign(said with { Note = note }, other).Bytes.ToArray());
    }

    private void Change(string key, Action<byte[]> change)
    {
        var bytes = File.ReadAllBytes(Path.Combine(_root, key));
        change(bytes);
        Write(Path.Combine(_root, key), bytes);
    }

    private void Delete(string key) => File.Delete(Path.Combine(_root, key));

    /// <summary>Stored objects are read-only.</summary>
    private static void Write(string file, byte[] bytes)
    {
        File.Delete(file);
        File.WriteAllBytes(file, bytes);
    }

    private Task<string> OpenAsync() => _site.ReadAsync<string>("""
        SELECT coalesce(string_agg(concat_ws(' ', kind, log, place), '; ' ORDER BY number), '')
        FROM audit.differences WHERE resolved_at IS NULL
        """);
}
