using System.Collections.Concurrent;
using Platform;

namespace PlatformTests;

/// <summary>What groups must do on every event log.</summary>
public abstract class GroupConformanceTests : EventLogConformanceTests
{
    private const string Group = "workers";

    /// <summary>Opens a log and joins the group by it, in such a way that the member can be made to vanish.</summary>
    protected async Task<Member> JoinAsync(Func<IOwnedPartition, CancellationToken, Task>? work = null)
    {
        var member = new Member(await OpenAsync());
        member.Run(Group, work ?? Idle);
        return member;
    }

    /// <summary>Makes the database unreachable for that log, as if its process were frozen or cut off.</summary>
    protected abstract Task CutOffAsync(IEventLog log);

    [Fact]
    public async Task A_group_of_one_owns_every_partition()
    {
        await using var only = await JoinAsync();

        await UntilAsync(() => only.Owned.Count == 4);

        Assert.All(only.Owned.Values, partition => Assert.Equal(0, partition.Position));
        Assert.All(only.Owned.Values, partition => Assert.True(partition.Epoch > 0));
    }

    [Fact]
    public async Task Members_share_the_partitions_and_hand_over_when_one_joins_or_leaves()
    {
        var running = new ConcurrentDictionary<int, int>();
        var overlaps = 0;
        await using var first = await JoinAsync(ExclusiveAsync);
        await UntilAsync(() => first.Owned.Count == 4);
        var epochs = first.Owned.ToDictionary(owned => owned.Key, owned => owned.Value.Epoch);

        await using var second = await JoinAsync(ExclusiveAsync);
        await UntilAsync(() => (first.Owned.Count, second.Owned.Count) is (2, 2));
        // What stays, stays where it was.
        Assert.All(first.Owned, owned => Assert.Equal(epochs[owned.Key], owned.Value.Epoch));
        Assert.All(second.Owned, owned => Assert.True(owned.Value.Epoch > epochs[owned.Key]));

        await using var third = await JoinAsync(ExclusiveAsync);
        await UntilAsync(() => first.Owned.Count + second.Owned.Count + third.Owned.Count == 4
            && third.Owned.Count == 1);
        Assert.Equal([0, 1, 2, 3], first.Owned.Keys.Concat(second.Owned.Keys).Concat(third.Owned.Keys).Order());

        await first.StopAsync();
        await UntilAsync(() => (second.Owned.Count, third.Owned.Count) is (2, 2));
        Assert.Equal(0, overlaps);

        async Task ExclusiveAsync(IOwnedPartition partition, CancellationToken cancel)
        {
            if (!running.TryAdd(partition.Partition.Partition, 0)) Interlocked.Increment(ref overlaps);
            await Idle(partition, cancel);
            // Ending takes a moment: nobody else may begin meanwhile.
            await Task.Delay(50, CancellationToken.None);
            running.TryRemove(partition.Partition.Partition, out _);
        }
    }

    [Fact]
    public async Task The_next_owner_begins_at_the_committed_position()
    {
        var log = await OpenAsync();
        var offsets = await log.AppendAsync(
            new("orders", 1), [.. Enumerable.Range(0, 10).Select(i => Record($"{i}"))], Cancel);
        await using (var first = await JoinAsync())
        {
            await UntilAsync(() => first.Owned.Count == 4);
            var partition = first.Owned[1];
            Assert.Equal(10, (await ReadAsync(partition, 10)).Count);
            await partition.CommitAsync(offsets[6], Cancel);
            // Never back.
            await partition.CommitAsync(offsets[3], Cancel);
            Assert.Equal(4, (await log.LagAsync(Group, "orders", Cancel))[1]);
        }

        await using var second = await JoinAsync();
        await UntilAsync(() => second.Owned.Count == 4);

        Assert.Equal(offsets[6], second.Owned[1].Position);
        Assert.Equal(["6", "7", "8", "9"], (await ReadAsync(second.Owned[1], 4)).Select(Text));
        var lag = await log.LagAsync(Group, "orders", Cancel);
        Assert.Equal([0, 1, 2, 3], lag.Keys.Order());
        Assert.Equal([0, 0, 4, 0], [lag[0], lag[2], lag[1], lag[3]]);
    }

    [Fact]
    public async Task A_group_that_never_was_has_everything_before_it()
    {
        var log = await OpenAsync();
        await log.AppendAsync(new("orders", 3), [Record("a"), Record("b")], Cancel);

        Assert.Equal(2, (await log.LagAsync("nobody", "orders", Cancel))[3]);
    }

    [Fact]
    public async Task A_member_that_vanished_is_replaced_and_can_commit_no_more()
    {
        var log = await OpenAsync();
        await log.AppendAsync(new("orders", 0), [Record("a"), Record("b")], Cancel);
        await using var lost = await JoinAsync(Stubborn);
        await UntilAsync(() => lost.Owned.Count == 4);
        var zombie = lost.Owned[0];
        Assert.Equal(2, (await ReadAsync(zombie, 2)).Count);
        await zombie.CommitAsync(1, Cancel);

        await CutOffAsync(lost.Log);
        await using var heir = await JoinAsync();
        await UntilAsync(() => heir.Owned.Count == 4);

        Assert.Equal(1, heir.Owned[0].Position);
        Assert.True(heir.Owned[0].Epoch > zombie.Epoch);
        Assert.Equal("b", Text(Assert.Single(await ReadAsync(heir.Owned[0], 1))));
        await ReconnectAsync(lost.Log);
        await Assert.ThrowsAsync<PartitionLostException>(async () => await zombie.CommitAsync(2, Cancel));
        Assert.Equal(1, (await log.LagAsync(Group, "orders", Cancel))[0]);
        // The member itself knew that it had lost them.
        await UntilAsync(() => lost.Cancelled.Count == 4);
        lost.Free();
    }

    /// <summary>Undoes <see cref="CutOffAsync"/>.</summary>
    protected abstract Task ReconnectAsync(IEventLog log);

    [Fact]
    public async Task The_first_failure_of_any_work_ends_all_of_it()
    {
        await using var member = await JoinAsync(async (partition, cancel) =>
        {
            if (partition.Partition.Partition == 2) throw new InvalidDataException("Broken.");
            await Idle(partition, cancel);
        });

        var failure = await Assert.ThrowsAsync<InvalidDataException>(() => member.Ended.WaitAsync(Patience, Cancel));

        Assert.Equal("Broken.", failure.Message);
        Assert.Empty(member.Owned);
        await using var next = await JoinAsync();
        await UntilAsync(() => next.Owned.Count == 4);
    }

    protected static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));

    protected static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(Patience);
        while (!await condition()) await Task.Delay(10, patience.Token);
    }

    private static async Task Idle(IOwnedPartition partition, CancellationToken cancel) =>
        await Task.Delay(Timeout.Infinite, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>Work that does not end when it is told to, like that of a process that hangs.</summary>
    private static Task Stubborn(IOwnedPartition partition, CancellationToken cancel) => Task.CompletedTask;

    /// <summary>A member of the group, and what it owns.</summary>
    protected sealed class Member(IEventLog log) : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly TaskCompletionSource _free = new();

        public IEventLog Log => log;

        public ConcurrentDictionary<int, IOwnedPartition> Owned { get; } = new();

        public ConcurrentDictionary<int, long> Cancelled { get; } = new();

        public Task Ended { get; private set; } = Task.CompletedTask;

        public void Run(string group, Func<IOwnedPartition, CancellationToken, Task> work) =>
            Ended = log.ConsumeAsync(group, "orders", async (partition, cancel) =>
            {
                Owned[partition.Partition.Partition] = partition;
                await using var told = cancel.Register(
                    () => Cancelled[partition.Partition.Partition] = partition.Epoch);
                try
                {
                    await work(partition, cancel);
                    if (work == Stubborn) await _free.Task;
                }
                finally
                {
                    Owned.TryRemove(partition.Partition.Partition, out _);
                }
            }, _stop.Token);

        /// <summary>Lets stubborn work end.</summary>
        public void Free() => _free.TrySetResult();

        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            Free();
            await Ended.WaitAsync(Patience);
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            Free();
            await Ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
