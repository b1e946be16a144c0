using Npgsql;
using Testing;
using Voting;
using Voting.Contracts;

namespace VotingTests;

/// <summary>What the directory knows, and when.</summary>
public sealed class SurveyDirectoryTests(Postgres postgres) : SurveyDirectoryTest(postgres)
{
    [Fact]
    public async Task Before_the_first_reading_nothing_is_known_and_it_says_so()
    {
        var id = await PublishedAsync();

        Assert.False(Directory.IsReady);
        Assert.Null(Directory.Find(id));
        Assert.Null(Directory.PublishedReadStartedAt(id));
        await StartAsync();
        Assert.True(Directory.IsReady);
        Assert.NotNull(Directory.Find(id));
    }

    [Fact]
    public async Task Surveys_are_known_from_publication_on_in_the_same_instance_until_they_change()
    {
        var draft = await CreateAsync();
        var open = await PublishedAsync();
        await StartAsync();
        var first = Directory.Find(open);
        await ReadAgainAsync();

        Assert.Null(Directory.Find(draft));
        Assert.Same(first, Directory.Find(open));
        Assert.Equal([open], Directory.Open.Select(survey => survey.Id));
        var handler = new ReadPublicSurveyHandler(Directory);
        Assert.Same(first!.Description, await handler.Handle(new(open), Cancel));
        Assert.Null(await handler.Handle(new(draft), Cancel));

        await FinishAsync(open);
        await PublishAsync(draft);
        await ReadAgainAsync();

        Assert.Equal(SurveyStatus.Closing, Directory.Find(open)!.Status);
        Assert.Same(first.Description.Questions, Directory.Find(open)!.Description.Questions);
        Assert.Same(first.Secret, Directory.Find(open)!.Secret);
        Assert.Equal([draft], Directory.Open.Select(survey => survey.Id));
        Assert.Equal(2, Directory.All.Count);
        Assert.True(Directory.Find(open)!.Description.Revision > first.Description.Revision);
    }

    [Fact]
    public async Task SQL_that_cannot_be_right_ends_the_loop()
    {
        await StartAsync();
        await ExecuteAsync("ALTER TABLE voting.surveys RENAME COLUMN live_batch_min TO live_batch");
        Clock.Advance(TimeSpan.FromSeconds(1));

        await Assert.ThrowsAsync<PostgresException>(() => Directory.ExecuteTask!.WaitAsync(Deadline, Cancel));
    }

    [Fact]
    public async Task Changes_become_visible_in_the_order_of_their_revisions()
    {
        var (slow, quick) = (await CreateAsync(), await CreateAsync());
        await StartAsync();
        await using var connection = await Database.Source.OpenConnectionAsync(Cancel);
        var transaction = await connection.BeginTransactionAsync(Cancel);
        const string sql = "UPDATE voting.surveys SET status = 'published', start_date = now() WHERE id = $1";
        await using (var publish = new NpgsqlCommand(sql, connection, transaction))
        {
            publish.Parameters.Add(new() { Value = slow });
            await publish.ExecuteNonQueryAsync(Cancel);
        }

        var other = PublishAsync(quick);
        await WaitForBlockedAsync(1);
        await ReadAgainAsync();
        Assert.Empty(Directory.Open);

        await transaction.CommitAsync(Cancel);
        await other;
        await ReadAgainAsync();
        Assert.Equal([slow, quick], Directory.Open.Select(survey => survey.Id).Order());
        Assert.True(Directory.Find(slow)!.Description.Revision < Directory.Find(quick)!.Description.Revision);
    }

    [Fact]
    public async Task A_final_result_appears_with_its_survey_and_counts_nothing_as_zero()
    {
        var id = await PublishedAsync();
        await FinishAsync(id);
        await StartAsync();
        Assert.Null(Directory.Find(id)!.Description.Final);
        var options = Directory.Find(id)!.Description.Questions[0].Options;

        await FinalizeAsync(id, $$"""{"{{options[1].Id}}": 3}""");
        await ReadAgainAsync();

        var final = Directory.Find(id)!.Description.Final!;
        Assert.Equal(SurveyStatus.Finished, Directory.Find(id)!.Status);
        Assert.Equal(("a.b.c", 7L, 3L), (final.Statement, final.Version, final.Ballots));
        Assert.Equal(new Dictionary<int, long> { [options[0].Id] = 0, [options[1].Id] = 3 }, final.Votes);
        Assert.Equal(new DateTimeOffset(2030, 1, 15, 10, 30, 0, TimeSpan.Zero), final.FinalAt);
    }

    [Fact]
    public async Task A_destroyed_secret_is_no_longer_in_memory()
    {
        var id = await PublishedAsync();
        await FinishAsync(id);
        await FinalizeAsync(id, "{}");
        await StartAsync();
        Assert.False(Directory.Find(id)!.Secret.IsEmpty);

        await ExecuteAsync($"UPDATE voting.surveys SET secret = NULL WHERE id = {id}");
        await ReadAgainAsync();

        Assert.True(Directory.Find(id)!.Secret.IsEmpty);
    }

    [Fact]
    public async Task A_change_is_announced_to_whoever_waits_for_one()
    {
        var id = await CreateAsync();
        await StartAsync();
        var seen = await Directory.ChangedSinceAsync(0, Cancel);
        var change = Directory.ChangedSinceAsync(seen, Cancel);
        await ReadAgainAsync();
        Assert.False(change.IsCompleted);

        await PublishAsync(id);
        await ReadAgainAsync();

        Assert.True(await change.WaitAsync(Deadline, Cancel) > seen);
    }

    [Fact]
    public async Task A_database_that_went_back_is_read_anew()
    {
        var (kept, lost) = (await PublishedAsync(), await PublishedAsync());
        await StartAsync();
        // As if the backup of before the second survey had been put back.
        await ExecuteAsync($"""
            SET session_replication_role = replica;
            DELETE FROM voting.surveys WHERE id = {lost};
            UPDATE voting.surveys SET title = 'Older', revision = 1 WHERE id = {kept};
            UPDATE voting.survey_revision SET value = 1;
            RESET session_replication_role;
            """);
        await ReadAgainAsync();

        Assert.Null(Directory.Find(lost));
        Assert.Equal("Older", Directory.Find(kept)!.Description.Title);
    }
}
