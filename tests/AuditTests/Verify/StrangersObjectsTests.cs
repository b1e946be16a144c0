using System.Security.Cryptography;
using Audit;

namespace AuditTests;

/// <summary>
/// Whoever may put objects, and holds no key and deletes nothing, puts them where they like: told in the report, and no
/// fault. What the platform's own keys signed is missed all the same.
/// </summary>
public sealed class StrangersObjectsTests
{
    private const string Log = "votes-00";

    private static readonly string[] Logs = ["events", "votes/votes-00", "votes/votes-01", "checkpoints"];

    private static readonly NoteSigner Stranger = Signers.Log("stranger.example/votes-00");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Kinds =>
        ["empty", "no document", "random", "a stranger's", "the log's own note", "enormous", "refused", "cold"];

    [Theory, MemberData(nameof(Kinds))]
    public async Task What_others_put_anywhere_is_told_and_no_fault(string kind)
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole(one => one.Publish(8)));
        var before = (await archive.VerifyAsync()).Findings;
        var put = new HashSet<(string Key, string VersionId)>();
        foreach (var (key, number) in Places(archive))
        {
            var content = Content(kind, archive, number);
            var version = await archive.Store.PutAsync(key, content, "x/y", Cancel);
            put.Add((key, version.VersionId));
        }

        var read = new List<string>();
        var store = new ColdStore(archive.Store, IsRefused, kind is "cold");
        foreach (var keys in new[] { ArchivedElection.Keys, [] })
        {
            var report = await archive.VerifyAsync(keys: keys, store: store);

            Assert.Empty(before);
            Assert.Empty(report.Findings);
            Assert.Empty(read);
            var (text, json) = (report.ToText(default, 0), report.ToJson(default, 0));
            foreach (var told in new[] { "events: ", "votes-00: ", "votes-99: ", "checkpoints: ", "results/: ",
                "votes/zzz" })
            {
                Assert.Contains($"note: {told}", text.Replace("the first: ", "note: ", StringComparison.Ordinal),
                    StringComparison.Ordinal);
                Assert.Contains(told, json, StringComparison.Ordinal);
            }

            Assert.Contains("\"ballots\":14", json, StringComparison.Ordinal);
            Assert.Contains("\"stated\":\"verified\"", json, StringComparison.Ordinal);
        }

        bool IsRefused(string key, string versionId)
        {
            var isPut = put.Contains((key, versionId));
            if (isPut && kind is "enormous") read.Add(key);
            return isPut && kind is "refused" or "cold";
        }
    }

    public static TheoryData<string> Cut => ["events", "votes/votes-01", "votes/votes-01 whole"];

    [Theory, MemberData(nameof(Cut))]
    public async Task What_the_log_of_logs_holds_is_missed_though_something_lies_in_its_place(string cut)
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole(one => one.Publish(8)));
        var folder = cut.Split(' ')[0];
        var removed = Directory.GetDirectories(Path.Combine(archive.Root, folder)).Order(StringComparer.Ordinal)
            .Select(Path.GetFileName).ToArray()[cut.EndsWith("whole", StringComparison.Ordinal) ? .. : ^1..];
        foreach (var one in removed)
        {
            File.Delete(Path.Combine(archive.Root, folder, one!, "checkpoint.json"));
            await archive.Store.PutAsync($"{folder}/{one}/checkpoint.json", "{}"u8.ToArray(), "x/y", Cancel);
        }

        foreach (var keys in new[] { ArchivedElection.Keys, [] })
        {
            var findings = (await archive.VerifyAsync(keys: keys)).Findings;

            Assert.Equal(
                (Problems.CheckpointMalformed, $"{folder}/{removed[0]}/checkpoint.json"),
                (findings[0].Problem, findings[0].Key));
        }
    }

    [Fact]
    public async Task What_was_seen_before_is_missed_though_something_lies_in_its_place()
    {
        var remembered = new RememberedLogs();
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        Assert.Empty((await archive.VerifyAsync(remembered: remembered)).Findings);
        foreach (var file in archive.Files().Where(file => file.StartsWith("checkpoints/", StringComparison.Ordinal)
            && file.EndsWith("checkpoint.json", StringComparison.Ordinal)))
        {
            archive.Change(file, _ => "{}"u8.ToArray());
        }

        Assert.Contains((await archive.VerifyAsync(remembered: remembered)).Findings, finding =>
            (finding.Problem, finding.Log) == (Problems.CheckpointMalformed, LogName.Checkpoints));
    }

    [Fact]
    public async Task Without_a_log_of_logs_nothing_tells_what_was_altered_from_what_was_put()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole(), hasCheckpoints: false);
        var newest = archive.Files().Last(file => file.StartsWith("votes/votes-01/", StringComparison.Ordinal)
            && file.EndsWith("checkpoint.json", StringComparison.Ordinal));
        archive.Change(newest, _ => "{}"u8.ToArray());

        Assert.Contains((await archive.VerifyAsync()).Findings, finding =>
            (finding.Problem, finding.Key) == (Problems.CheckpointMalformed, newest));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(50)]
    public async Task A_larger_tree_that_the_log_signed_is_missed_whoever_signed_the_document_around_it(int ahead)
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        var (newest, number) = Newest(archive, $"votes/{Log}");
        var larger = newest.Statement with
        {
            Number = number + ahead,
            Note = SignedCheckpoint.Sign(
                newest.Statement.Note.Checkpoint with { Size = newest.Statement.Size + newest.Statement.Entries },
                ArchivedElection.Signer(Log)),
        };
        var key = ArchiveKey.Checkpoint($"votes/{Log}", number + ahead);
        await archive.Store.PutAsync(key, CheckpointDocument.Sign(larger, Stranger).Bytes, "x/y", Cancel);

        var finding = Assert.Single((await archive.VerifyAsync()).Findings);

        Assert.Equal((Problems.CheckpointSignature, Log, key), (finding.Problem, finding.Log, finding.Key));
    }

    [Fact]
    public async Task A_signed_checkpoint_behind_a_strangers_is_read_as_one_that_is_missing_before_it()
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        archive.Change(ArchiveKey.Checkpoint($"votes/{Log}", 2), _ => "{}"u8.ToArray());

        var first = (await archive.VerifyAsync()).Findings[0];

        Assert.Equal(
            (Problems.CheckpointMalformed, ArchiveKey.Checkpoint($"votes/{Log}", 2)), (first.Problem, first.Key));
    }

    [Theory]
    [InlineData("votes/votes-00/checkpoint_0000000002/checkpoint.json")]
    [InlineData("votes/votes-00/checkpoint_0000000002/segment.ndjson.zst")]
    [InlineData("checkpoint.json")]
    [InlineData("statement.json")]
    public async Task What_is_the_logs_own_and_refused_ends_it(string refused)
    {
        using var archive = await ArchivedElection.SealAsync(Election.Whole());
        var store = new ColdStore(archive.Store, (key, _) => key.EndsWith(refused, StringComparison.Ordinal));

        var said = await Assert.ThrowsAsync<ArchiveStoreException>(() =>
            archive.VerifyAsync(store: store, later: TimeSpan.FromHours(2)));

        Assert.Contains("is not given", said.Message, StringComparison.Ordinal);
    }

    /// <summary>Keys to put under; with the number of a checkpoint, where it is one of a log of votes.</summary>
    private static IEnumerable<(string Key, long Number)> Places(ArchivedElection archive)
    {
        foreach (var folder in Logs)
        {
            var next = Newest(archive, folder).Number + 1;
            foreach (var number in new[] { 0, 1, 2, next, next + 49, ArchiveKey.CheckpointMax })
            {
                if (folder == "checkpoints" && number == 2) continue;
                yield return (ArchiveKey.Checkpoint(folder, number), number);
                yield return (ArchiveKey.Segment(folder, number), number);
            }

            yield return ($"{folder}/readme", 1);
            yield return ($"{ArchiveKey.In(folder, 1)}more", 1);
        }

        foreach (var key in new[]
        {
            "votes/votes-99/readme", "votes/votes-98/x/y/z", "votes/votes-99/checkpoint_0000000003/checkpoint.json",
            "votes/votes-97/checkpoint_0000000001/checkpoint.json", "votes/zzz/x", "votes/x", "results/x",
            "results/07/statement.json", "results/7/statement.json", "results/8/statement.json",
            "results/99/statement.json", "results/7/statement.json.old", "more/x", "x",
        })
        {
            yield return (key, 1);
        }
    }

    private static byte[] Content(string kind, ArchivedElection archive, long number)
    {
        var newest = Newest(archive, $"votes/{Log}").Document.Statement;
        var place = newest with { Number = Math.Max(1, number) };
        var own = newest.Note.Checkpoint;
        return kind switch
        {
            "empty" => [],
            "random" => RandomNumberGenerator.GetBytes(2_000),
            "enormous" => new byte[ResultStatement.SizeBytesMax + 1],
            "a stranger's" => CheckpointDocument.Sign(
                place with { Note = SignedCheckpoint.Sign(own with { Origin = Stranger.Verifier.Name }, Stranger) },
                Stranger).Bytes.ToArray(),
            "the log's own note" => CheckpointDocument.Sign(place, Stranger).Bytes.ToArray(),
            _ => [.. "{}"u8, .. System.Text.Encoding.ASCII.GetBytes($"{number}")],
        };
    }

    private static (CheckpointDocument Document, long Number) Newest(ArchivedElection archive, string folder)
    {
        foreach (var file in archive.Files().Reverse())
        {
            if (ArchiveKey.TryReadNumber(folder, file, out var number)
                && file == ArchiveKey.Checkpoint(folder, number)
                && CheckpointDocument.TryParse(File.ReadAllBytes(Path.Combine(archive.Root, file)), out var document)
                && document.Key.Name.StartsWith(ArchivedElection.Prefix, StringComparison.Ordinal))
            {
                return (document, number);
            }
        }

        throw new InvalidOperationException($"{folder} holds no checkpoint.");
    }
}
