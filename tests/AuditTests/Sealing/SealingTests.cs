using Audit;
using Platform;
using Testing;
using Voting.Contracts;

namespace AuditTests;

/// <summary>
/// Whatever happens meanwhile, everything is sealed once, and every checkpoint continues the one before.
/// </summary>
public sealed class SealingTests(Postgres postgres) : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("voting-sealing-");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private DirectoryArchive Store => new(_directory.FullName);

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task Every_record_is_sealed_once_by_the_order_of_sources_and_offsets()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(300);
        var auditor = site.Start();
        await site.SettledAsync();
        await site.AppendAsync(VoteTopics.Outcomes, 1, 5);
        await site.SettledAsync();
        await site.AppendEverywhereAsync(3);
        await site.SettledAsync();

        var archives = await SealedArchive.AssertAllAsync(site, auditor);
        // Whichever source is read first may be sealed before the other has begun to be.
        await SealingSite.UntilAsync("others get their share of a source that brings much", async () =>
        {
            if (archives[0].Documents.Any(one => one.Statement is { Ranges.Count: 2, Entries: 40 })) return true;
            await site.AppendEverywhereAsync(300);
            await site.SettledAsync();
            archives = await SealedArchive.AssertAllAsync(site, auditor);
            return false;
        });
        Assert.All(archives.SkipLast(1), archive => Assert.All(
            archive.Documents, one => Assert.InRange(one.Statement.Entries, 1, SealingSite.Quick.SealEntryCountMax)));
        await SealingSite.UntilAsync("the groups know what is sealed", async () =>
            (await site.Log.LagAsync(SealVotes.Group, VoteTopics.Votes, Cancel)).Values.Sum() == 0
            && (await site.Log.LagAsync(SealEvents.Group, Outbox.Topic.Name, Cancel)).Values.Sum() == 0);
    }

    [Fact]
    public async Task What_others_put_far_ahead_and_the_store_refuses_to_give_stops_no_log()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        var foreign = ArchiveKey.Checkpoint("votes/votes-00", 9_999_999_999);
        await Store.PutAsync(foreign, "x"u8.ToArray(), CheckpointDocument.ContentType, Cancel);
        await site.AppendEverywhereAsync(50);
        var refusing = new ColdStore(Store, key => key == foreign, isCold: false);
        site.Start(refusing);
        await site.SettledAsync();
        await site.AppendEverywhereAsync(5);
        await site.RestartAsync(refusing);
        await site.SettledAsync();

        // What comes next may be the log's own: then none is signed before the store gives it.
        var sealedSoFar = await site.ReadAsync<long>("SELECT checkpoint FROM audit.heads WHERE log = 'votes-00'");
        var next = ArchiveKey.Checkpoint("votes/votes-00", sealedSoFar + 1);
        await Store.PutAsync(next, "x"u8.ToArray(), CheckpointDocument.ContentType, Cancel);
        var archived = new ArchivedLog(
            SealingSite.Logs.Votes[0], number => SealingSite.Verifiers(SealingSite.Logs.Votes[0], number),
            new ColdStore(Store, key => key == next, isCold: false));
        await Assert.ThrowsAsync<ArchiveStoreException>(() => archived.NewestAsync(sealedSoFar, 0, Cancel));
    }

    [Theory]
    [InlineData("put segment", false)]
    [InlineData("put segment", true)]
    [InlineData("put checkpoint", false)]
    [InlineData("put checkpoint", true)]
    public async Task Ended_at_any_step_its_successor_seals_the_same(string request, bool isDone)
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(50);
        site.Start();
        await site.SettledAsync();
        await site.AppendEverywhereAsync(50);
        foreach (var log in SealingSite.Logs.All)
        {
            var gate = new Gate(Store);
            var came = isDone ? gate.HoldAfter(request, log.Folder) : gate.HoldBefore(request, log.Folder);
            await site.RestartAsync(gate);
            await site.AppendEverywhereAsync(10);
            await came.WaitAsync(SealingSite.Patience, Cancel);
        }

        var last = await site.RestartAsync();
        await site.SettledAsync();
        // Whatever was put twice had the same bytes: in a directory these are one version.
        await SealedArchive.AssertAllAsync(site, last);
    }

    [Fact]
    public async Task Ended_while_the_head_moves_its_successor_seals_the_same()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(50);
        var first = site.Start();
        await site.SettledAsync();
        foreach (var table in new[] { "heads", "segments", "ranges", "tiles" })
        {
            await using (await site.HoldAsync($"LOCK TABLE audit.{table} IN SHARE MODE"))
            {
                await site.AppendEverywhereAsync(20);
                await site.BlockedAsync();
                var ending = first.DisposeAsync();
                await site.EndBlockedAsync();
                await ending;
            }

            first = site.Start();
        }

        await site.SettledAsync();
        await SealedArchive.AssertAllAsync(site, first);
    }

    [Theory]
    [InlineData("put segment", false)]
    [InlineData("put segment", true)]
    [InlineData("put checkpoint", false)]
    public async Task Of_two_writers_of_one_log_one_goes_on(string request, bool isDone)
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(30);
        var (gate, goOn) = (new Gate(Store), new TaskCompletionSource());
        var came = new TaskCompletionSource();
        Func<string, string, CancellationToken, Task> pause = async (asked, key, cancel) =>
        {
            if (asked != request || !key.Contains("votes-01", StringComparison.Ordinal)) return;
            came.TrySetResult();
            await goOn.Task.WaitAsync(cancel);
        };
        if (isDone) gate.After = pause;
        else gate.Before = pause;

        site.Start(gate);
        await came.Task.WaitAsync(SealingSite.Patience, Cancel);
        var second = site.Start(groups: "-of-another");
        await site.SettledAsync();
        await site.AppendEverywhereAsync(30);
        await site.SettledAsync();
        goOn.SetResult();
        for (var i = 0; i < 2; i++)
        {
            await site.AppendEverywhereAsync(30);
            await site.SettledAsync();
        }

        // Both may compress the same intent; the directory keeps the same bytes once.
        await SealedArchive.AssertAllAsync(site, second);
    }

    [Fact]
    public async Task While_the_archive_is_down_nothing_is_lost_and_then_it_catches_up()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        await site.AppendEverywhereAsync(10);
        var gate = new Gate(Store);
        var auditor = site.Start(gate);
        await site.SettledAsync();
        var (down, failures) = (true, 0);
        gate.Before = (_, _, _) =>
        {
            if (!Volatile.Read(ref down)) return Task.CompletedTask;
            Interlocked.Increment(ref failures);
            throw new ArchiveStoreException("The archive is down.", isTransient: failures % 2 == 0);
        };

        await site.AppendEverywhereAsync(100);
        await SealingSite.UntilAsync("it was tried more than once", () => Task.FromResult(failures > 10));
        Assert.True((await site.Log.LagAsync(SealVotes.Group, VoteTopics.Votes, Cancel)).Values.Sum() >= 200);
        Volatile.Write(ref down, false);
        await site.SettledAsync();

        await SealedArchive.AssertAllAsync(site, auditor);
    }

    [Fact]
    public async Task A_slow_archive_makes_segments_larger_and_loses_nothing()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        var auditor = site.Start(new Gate(Store) { Before = (_, _, cancel) => Task.Delay(15, cancel) });
        for (var i = 0; i < 8; i++) await site.AppendEverywhereAsync(3);
        await site.SettledAsync();

        await SealedArchive.AssertAllAsync(site, auditor);
    }

    [Fact]
    public async Task A_segment_is_limited_in_bytes_and_one_larger_event_still_goes()
    {
        await using var site = await SealingSite.OpenAsync(postgres, Store);
        var votes = new TopicPartition(VoteTopics.Votes, 0);
        for (var i = 0; i < 6; i++)
        {
            byte[] large = [.. Enumerable.Repeat((byte)i, IEventLog.RecordSizeBytesMax)];
            await site.AppendAsync(votes, large, "no json\n"u8.ToArray(), [0xff]);
        }

        var options = SealingSite.Quick;
        options.SealSizeBytesMax = 1024 * 1024;
        options.LargeSealCountMax = 1;
        var auditor = site.Start(options: options);
        await site.AppendEverywhereAsync(5);
        await site.SettledAsync();

        var archives = await SealedArchive.AssertAllAsync(site, auditor);
        Assert.True(archives[0].Documents.Count >= 6);
    }
}
