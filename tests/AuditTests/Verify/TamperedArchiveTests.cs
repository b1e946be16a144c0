using System.Text;
using Audit;
using CsCheck;
using ZstdSharp;

namespace AuditTests;

/// <summary>Whoever may write to the archive and holds no key, or some, changes it: found, and named.</summary>
public sealed class TamperedArchiveTests
{
    private const string Log = "votes-00";

    private static string Segment(int number) => ArchiveKey.Segment("votes/votes-00", number);

    private static string Checkpoint(int number) => ArchiveKey.Checkpoint("votes/votes-00", number);

    [Fact]
    public async Task Any_changed_byte_of_any_object_is_found()
    {
        var election = new Election();
        election.Publish(7);
        election.Partitions[0].Count(election.Partitions[0].Submit(1, 101));
        using var archive = await ArchivedElection.SealAsync(election, 1);
        var files = archive.Files();
        var sizes = files.ToDictionary(file => file, file => new FileInfo(Path.Combine(archive.Root, file)).Length);

        await Gen.Select(Gen.Int[0, files.Length - 1], Gen.Int[0, 100_000], Gen.Int[1, 255]).SampleAsync(
            async (file, place, mask) =>
            {
                var (key, at) = (files[file], place % sizes[files[file]]);
                archive.Change(key, bytes => Flip(bytes, at, mask));
                var report = await archive.VerifyAsync();
                archive.Change(key, bytes => Flip(bytes, at, mask));
                // Nothing covers the newest checkpoint of the log of logs yet: it could be anybody's, and is told.
                return key == files.Last(one => one.StartsWith("checkpoints/", StringComparison.Ordinal)
                    && one.EndsWith("checkpoint.json", StringComparison.Ordinal))
                    ? report.ToText(default, 0).Contains(key, StringComparison.Ordinal)
                    : report.Findings[0].Key == key;
            }, iter: 300, threads: 1);
        Assert.Empty((await archive.VerifyAsync()).Findings);
    }

    [Fact]
    public async Task A_changed_byte_of_a_segment_names_the_entry()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        var sealedBytes = File.ReadAllBytes(Path.Combine(archive.Root, Segment(2)));
        for (var at = 0; at < sealedBytes.Length; at += 37)
        {
            archive.Change(Segment(2), bytes => Flip(bytes, at, 0x10));
            var first = (await archive.VerifyAsync()).Findings[0];
            archive.Change(Segment(2), _ => sealedBytes);

            Assert.Equal((Log, Segment(2)), (first.Log, first.Key));
            Assert.InRange(first.Index!.Value, 8, 15);
            Assert.Contains(first.Problem, new[] { Problems.SegmentDigest, Problems.Chain });
        }
    }

    public static TheoryData<string, long, Func<string[], IEnumerable<string>>> Lines => new()
    {
        { "altered", 9, lines => [lines[0], lines[1].Replace("vote", "note", StringComparison.Ordinal)] },
        { "dropped", 9, lines => [lines[0], .. lines[2..]] },
        { "doubled", 10, lines => [.. lines[..2], lines[1], .. lines[2..]] },
        { "swapped", 9, lines => [lines[0], lines[2], lines[1], .. lines[3..]] },
        { "cut off", 15, lines => lines[..7] },
        { "appended", 16, lines => [.. lines, lines[7]] },
        { "no line", 8, lines => ["x", .. lines[1..]] },
        { "empty", 8, _ => [] },
    };

    [Theory, MemberData(nameof(Lines))]
    public async Task An_entry_that_is_altered_dropped_doubled_or_swapped_is_named(
        string what, long index, Func<string[], IEnumerable<string>> change)
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        var changed = Relined(File.ReadAllBytes(Path.Combine(archive.Root, Segment(2))), change);
        foreach (var isResigned in new[] { false, true })
        {
            archive.Change(Segment(2), _ => changed);
            // Whoever holds the log's key names the changed object, and the chain of the next checkpoint breaks too.
            if (isResigned)
            {
                archive.Restate(Log, 2, one => one with
                {
                    Segment = one.Segment with
                    {
                        Digest = Digest.Of(changed),
                        VersionId = Convert.ToHexStringLower(Digest.Of(changed).Span),
                    },
                });
            }

            var first = (await archive.VerifyAsync()).Findings[0];

            Assert.True((Log, index, Segment(2)) == (first.Log, first.Index, first.Key), $"{what}: {first}");
        }
    }

    [Fact]
    public async Task A_removed_segment_is_named()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        File.Delete(Path.Combine(archive.Root, Segment(3)));

        Assert.Equal((Log, 16L, Segment(3), Problems.SegmentMissing), Place(await archive.VerifyAsync()));
    }

    [Fact]
    public async Task A_removed_checkpoint_is_named()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        File.Delete(Path.Combine(archive.Root, Checkpoint(3)));

        Assert.Equal((Log, 16L, Checkpoint(3), Problems.CheckpointMissing), Place(await archive.VerifyAsync()));
    }

    [Fact]
    public async Task Removed_newest_checkpoints_are_found_by_the_log_of_logs()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole(one => one.Publish(8)));
        Directory.Delete(Path.Combine(archive.Root, "events/checkpoint_0000000002"), recursive: true);

        Assert.Contains((await archive.VerifyAsync()).Findings, finding =>
            (finding.Log, finding.Problem) == (LogName.Checkpoints, Problems.Rollback));
    }

    [Fact]
    public async Task A_removed_log_is_found_by_the_log_of_logs()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        Directory.Delete(Path.Combine(archive.Root, "votes/votes-01"), recursive: true);

        Assert.Contains((await archive.VerifyAsync()).Findings, finding =>
            (finding.Log, finding.Problem) == (LogName.Checkpoints, Problems.Rollback));
    }

    [Fact]
    public async Task A_log_without_its_checkpoints_is_found_by_the_log_of_logs_though_its_segments_are_left()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        foreach (var file in archive.Files().Where(file => file.StartsWith("votes/votes-01/", StringComparison.Ordinal)
            && file.EndsWith("checkpoint.json", StringComparison.Ordinal)))
        {
            File.Delete(Path.Combine(archive.Root, file));
        }

        Assert.Contains((await archive.VerifyAsync(keys: [])).Findings, finding =>
            (finding.Log, finding.Problem) == (LogName.Checkpoints, Problems.Rollback));
    }

    [Fact]
    public async Task A_log_of_logs_that_is_gone_or_cut_off_is_missed_where_the_archive_goes_on()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole(), 2, pace: TimeSpan.FromMinutes(61));
        Assert.Empty((await archive.VerifyAsync(keys: [])).Findings);

        foreach (var cut in new[] { Directory.GetDirectories(Path.Combine(archive.Root, "checkpoints")).Max()!,
            Path.Combine(archive.Root, "checkpoints") })
        {
            Directory.Delete(cut, recursive: true);

            Assert.Equal(
                (Problems.NotCovered, Log),
                (await archive.VerifyAsync(keys: [])).Findings
                    .Select(finding => (finding.Problem, finding.Log)).Single(one => one.Log == Log));
        }
    }

    [Fact]
    public async Task A_checkpoint_that_is_signed_again_with_another_tree_is_found()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        archive.Restate(Log, 2, one => one with
        {
            Note = SignedCheckpoint.Sign(
                one.Note.Checkpoint with { Root = Digest.Of("another"u8) }, ArchivedElection.Signer(Log)),
        });

        Assert.Equal((Log, 15L, Checkpoint(2), Problems.Root), Place(await archive.VerifyAsync()));
    }

    [Fact]
    public async Task A_checkpoint_that_is_signed_again_breaks_the_chain_of_checkpoints()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        archive.Restate(Log, 2, one => one with { Time = one.Time.AddMilliseconds(1) });

        Assert.Equal((Log, 16L, Checkpoint(3), Problems.CheckpointChain), Place(await archive.VerifyAsync()));
    }

    [Fact]
    public async Task Two_signed_checkpoints_of_a_number_are_a_fork()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        var bytes = File.ReadAllBytes(Path.Combine(archive.Root, Checkpoint(2)));
        archive.Restate(Log, 2, one => one with { LastHash = Digest.Of("another"u8) });
        await archive.Store.PutAsync(Checkpoint(2), bytes, "x/y", TestContext.Current.CancellationToken);

        Assert.Equal((Log, 8L, Checkpoint(2), Problems.Fork), Place(await archive.VerifyAsync()));
    }

    [Fact]
    public async Task What_anybody_puts_beside_a_checkpoint_changes_nothing()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        await archive.Store.PutAsync(Checkpoint(2), "{}"u8.ToArray(), "x/y", TestContext.Current.CancellationToken);
        await archive.Store.PutAsync(Segment(2), "{}"u8.ToArray(), "x/y", TestContext.Current.CancellationToken);
        await archive.Store.PutAsync("votes/readme", "{}"u8.ToArray(), "x/y", TestContext.Current.CancellationToken);

        Assert.Empty((await archive.VerifyAsync()).Findings);
    }

    [Fact]
    public async Task A_key_that_stands_beside_the_logs_own_in_a_public_note_speaks_for_nothing()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        var stranger = Signers.Log($"{ArchivedElection.Prefix}/{Log}", 1);
        foreach (var number in new[] { 1, 2, 3 })
        {
            // The log's own line is public; a line and a document around it are anybody's to make.
            Assert.True(CheckpointDocument.TryParse(
                File.ReadAllBytes(Path.Combine(archive.Root, Checkpoint(number))), out var honest));
            var statement = honest.Statement with
            {
                LastHash = Digest.Of("another"u8),
                Note = SignedCheckpoint.Sign(
                    honest.Statement.Note.Checkpoint, ArchivedElection.Signer(Log), stranger),
            };
            await archive.Store.PutAsync(
                Checkpoint(number), CheckpointDocument.Sign(statement, stranger).Bytes, "x/y",
                TestContext.Current.CancellationToken);
        }

        var report = await archive.VerifyAsync(keys: []);

        Assert.Empty(report.Findings);
        Assert.DoesNotContain(stranger.Verifier.ToString(), report.ToJson(default, 0), StringComparison.Ordinal);
    }

    private static readonly Dictionary<string, Func<CheckpointStatement, CheckpointStatement>> Claiming = new()
    {
        ["a gap"] = one => From(one, 1),
        ["an overlap"] = one => From(one, -1),
        ["a size"] = one => one with { Entries = one.Entries - 1 },
        ["an offset"] = one => one with { Offsets = one.Offsets.Append(new("votes-9", 1)).ToDictionary() },
        ["a segment"] = one => one with { Segment = one.Segment with { Key = Segment(1) } },
        ["a time"] = one => one with { Time = one.Time.AddDays(-1) },
    };

    public static TheoryData<string> Claims => [.. Claiming.Keys];

    [Theory, MemberData(nameof(Claims))]
    public async Task A_claim_that_does_not_follow_is_found(string claim)
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        archive.Restate(Log, 2, Claiming[claim]);

        Assert.Equal((Log, 8L, Checkpoint(2), Problems.CheckpointClaims), Place(await archive.VerifyAsync()));
    }

    private static (string Log, long? Index, string? Key, string Problem) Place(VerificationReport report) =>
        report.Findings[0] is var first ? (first.Log, first.Index, first.Key, first.Problem) : default;

    private static CheckpointStatement From(CheckpointStatement one, long more) => one with
    {
        Ranges = [one.Ranges[0] with { From = one.Ranges[0].From + more }, .. one.Ranges.Skip(1)],
    };

    private static byte[] Flip(byte[] bytes, long at, int mask)
    {
        bytes[at] ^= (byte)mask;
        return bytes;
    }

    private static byte[] Relined(byte[] segment, Func<string[], IEnumerable<string>> change)
    {
        using var unpacker = new Decompressor();
        using var packer = new Compressor();
        // Latin-1 keeps every byte.
        var lines = Encoding.Latin1.GetString(unpacker.Unwrap(segment))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var text = string.Concat(change(lines).Select(line => $"{line}\n"));
        return packer.Wrap(Encoding.Latin1.GetBytes(text)).ToArray();
    }
}
