using Testing;
using Voting.Contracts;

namespace VotingTests;

/// <summary>What an api process may trust its reading by.</summary>
public sealed class SurveyLeaseTests(Postgres postgres) : SurveyDirectoryTest(postgres)
{
    [Fact]
    public async Task Every_successful_reading_renews_the_lease_of_every_open_survey_from_before_it_was_sent()
    {
        var (one, other) = (await PublishedAsync(), await PublishedAsync());
        await StartAsync();
        var first = Directory.PublishedReadStartedAt(one);
        await ReadAgainAsync();
        var sentAt = Clock.GetTimestamp();

        Assert.True(Directory.PublishedReadStartedAt(one) > first);
        Assert.Equal(sentAt, Directory.PublishedReadStartedAt(one));
        Assert.Equal(sentAt, Directory.PublishedReadStartedAt(other));
        Assert.Null(Directory.PublishedReadStartedAt(other + 1));
    }

    [Fact]
    public async Task A_survey_that_closes_keeps_the_lease_of_the_last_reading_in_which_it_was_open()
    {
        var (closing, open) = (await PublishedAsync(), await PublishedAsync());
        await StartAsync();
        await ReadAgainAsync();
        var last = Clock.GetTimestamp();

        await FinishAsync(closing);
        await ReadAgainAsync();
        await ReadAgainAsync();

        Assert.Equal(last, Directory.PublishedReadStartedAt(closing));
        Assert.Equal(Clock.GetTimestamp(), Directory.PublishedReadStartedAt(open));
        await FinalizeAsync(closing, "{}");
        await ReadAgainAsync();
        Assert.Equal(last, Directory.PublishedReadStartedAt(closing));
    }

    [Fact]
    public async Task A_survey_first_seen_closing_has_no_lease()
    {
        var id = await PublishedAsync();
        await FinishAsync(id);
        await StartAsync();

        Assert.Equal(SurveyStatus.Closing, Directory.Find(id)!.Status);
        Assert.Null(Directory.PublishedReadStartedAt(id));
    }

    [Fact]
    public async Task A_reading_that_is_under_way_does_not_count_as_begun_later()
    {
        var id = await PublishedAsync();
        await StartAsync();
        await using var blocker = await Database.Source.OpenConnectionAsync(Cancel);
        var hold = await LockSurveysAsync(blocker);
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        var early = Directory.ReadAfterAsync(Clock.GetTimestamp(), Cancel);
        await WaitForBlockedAsync(1);
        var earlyAt = Clock.GetTimestamp();
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        var later = Directory.ReadAfterAsync(Clock.GetTimestamp(), Cancel);

        Assert.False(early.IsCompleted || later.IsCompleted);
        await hold.CommitAsync(Cancel);
        await early.WaitAsync(Deadline, Cancel);
        await later.WaitAsync(Deadline, Cancel);
        Assert.True(Directory.PublishedReadStartedAt(id) > earlyAt);
    }

    [Fact]
    public async Task A_database_that_is_gone_renews_nothing_and_ends_nothing()
    {
        var id = await PublishedAsync();
        await StartAsync();
        var last = Directory.PublishedReadStartedAt(id);
        await SuperuserAsync($"ALTER DATABASE {Database.Name} ALLOW_CONNECTIONS false");
        await SuperuserAsync(
            $"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{Database.Name}'");

        Clock.Advance(TimeSpan.FromMilliseconds(1));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var read = Directory.ReadAfterAsync(Clock.GetTimestamp(), patience.Token);
        for (var i = 0; i < 20; i++)
        {
            Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.False(read.IsCompleted);
        Assert.Equal(last, Directory.PublishedReadStartedAt(id));
        Assert.NotNull(Directory.Find(id));
        Assert.False(Directory.ExecuteTask!.IsCompleted);

        await SuperuserAsync($"ALTER DATABASE {Database.Name} ALLOW_CONNECTIONS true");
        await AdvanceUntilAsync(read);
        Assert.True(Directory.PublishedReadStartedAt(id) > last);
        await FinishAsync(id);
        await ReadAgainAsync();
        Assert.Equal(SurveyStatus.Closing, Directory.Find(id)!.Status);
    }

    [Fact]
    public async Task A_database_that_hangs_is_given_up_and_asked_anew()
    {
        var id = await PublishedAsync();
        await StartAsync();
        var last = Directory.PublishedReadStartedAt(id);
        await using var blocker = await Database.Source.OpenConnectionAsync(Cancel);
        var hold = await LockSurveysAsync(blocker);
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        var read = Directory.ReadAfterAsync(Clock.GetTimestamp(), Cancel);
        await WaitForBlockedAsync(1);

        Clock.Advance(TimeSpan.FromSeconds(5));
        await WaitForBlockedAsync(0);

        Assert.False(read.IsCompleted);
        Assert.Equal(last, Directory.PublishedReadStartedAt(id));
        await hold.CommitAsync(Cancel);
        await AdvanceUntilAsync(read);
        Assert.True(Directory.PublishedReadStartedAt(id) > last);
    }
}
