using Testing;

namespace EndToEndTests;

/// <summary>The verbs that create the log's topics and look at them, on either log.</summary>
public sealed class LogVerbTests(Site site, KafkaCluster cluster)
{
    private static readonly (string Name, int Partitions)[] Topics =
        [("votes", 16), ("vote-outcomes", 16), ("tallies", 4), ("revocations", 1), ("domain-events", 4)];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_database_as_it_was_migrated_is_as_it_should_be()
    {
        var created = await RunAsync("admin log init", []);
        var checkedOnce = await RunAsync("admin log check", []);

        Assert.Equal((0, "Created 0 topics; all are there.\n"), (created.ExitCode, created.Output));
        Assert.Equal((0, "The log is as it should be.\n"), (checkedOnce.ExitCode, checkedOnce.Output));
    }

    [Fact]
    public async Task Every_difference_of_the_database_is_a_line_and_the_exit_code_is_1()
    {
        await using var installation = await Installation.StartAsync(site.Postgres, [], Site.Settings, Cancel);
        foreach (var change in new[]
        {
            "DELETE FROM platform.log_partitions WHERE topic = 'tallies' AND partition = 3",
            "DELETE FROM platform.log_partitions WHERE topic = 'revocations'",
            $"ALTER DATABASE {installation.Database.Name} SET synchronous_commit = off",
        })
        {
            await using var command = installation.Database.Source.CreateCommand(change);
            await command.ExecuteNonQueryAsync(Cancel);
        }

        var said = await RunAsync("admin log check", Of(installation));

        Assert.Equal(1, said.ExitCode);
        Assert.Equal(
            [
                "The database has no topic revocations: run migrate.",
                "Topic tallies was created with 3 partitions; it cannot have 4 now.",
                "The server has synchronous_commit=off: it may lose what it has confirmed.",
            ],
            said.Output.TrimEnd('\n').Split('\n'));
    }

    [Theory]
    [InlineData("--role all")]
    [InlineData("--role sse")]
    public async Task A_process_does_not_start_on_a_Kafka_without_its_topics(string arguments)
    {
        var ended = await RunAsync(arguments, await KafkaAsync());

        Assert.Equal(1, ended.ExitCode);
        Assert.Contains("run admin log init", Assert.Single(ended.Errors.TrimEnd('\n').Split('\n')),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Migrating_leaves_Kafka_alone_and_says_what_to_run()
    {
        var ended = await RunAsync("migrate", await KafkaAsync());

        Assert.Equal(0, ended.ExitCode);
        Assert.Contains("admin log init", ended.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Topics_in_Kafka_are_created_once_and_compared()
    {
        var settings = await KafkaAsync();
        foreach (var (name, partitions) in KafkaCluster.IsMock ? Topics : [])
            await cluster.CreateTopicAsync(settings["Log__Kafka__TopicPrefix"] + name, partitions, Cancel);

        var first = await RunAsync("admin log init", settings);
        var again = await RunAsync("admin log init", settings);
        var compared = await RunAsync("admin log check", settings);

        Assert.True(first.ExitCode == 0, first.Errors);
        Assert.Equal($"Created {(KafkaCluster.IsMock ? 0 : Topics.Length)} topics; all are there.\n", first.Output);
        Assert.Equal("Created 0 topics; all are there.\n", again.Output);
        if (KafkaCluster.IsMock)
        {
            // It has no settings to compare; what cannot be compared is not called good.
            Assert.Equal(1, compared.ExitCode);
            Assert.Single(compared.Errors.TrimEnd('\n').Split('\n'));
        }
        else
        {
            Assert.Equal((0, "The log is as it should be.\n"), (compared.ExitCode, compared.Output));
            settings["Log__Kafka__MinInSyncReplicas"] = settings["Log__Kafka__Replication"] = "2";
            compared = await RunAsync("admin log check", settings);
            Assert.Equal(1, compared.ExitCode);
            Assert.Contains("votes has min.insync.replicas=1 instead of 2.", compared.Output, StringComparison.Ordinal);
            Assert.Contains("votes-15 has 1 replicas instead of 2.", compared.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_Kafka_that_does_not_answer_is_one_line_and_exit_code_1()
    {
        var settings = await KafkaAsync();
        settings["Log__Kafka__BootstrapServers"] = "127.0.0.1:1";
        settings["Log__Kafka__RequestTimeout"] = "00:00:01";

        foreach (var arguments in new[] { "--role all", "admin log init", "admin log check" })
        {
            var ended = await RunAsync(arguments, settings);
            Assert.Equal(1, ended.ExitCode);
            Assert.Contains("Kafka", Assert.Single(ended.Errors.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
        }
    }

    private async Task<Dictionary<string, string>> KafkaAsync() => new()
    {
        ["Log__Kafka__BootstrapServers"] = await cluster.BootstrapsAsync(Cancel),
        ["Log__Kafka__TopicPrefix"] = KafkaCluster.NewPrefix(),
        ["Log__Kafka__Replication"] = $"{KafkaCluster.Replication}",
        ["Log__Kafka__MinInSyncReplicas"] = "1",
    };

    private static Dictionary<string, string> Of(Installation installation) =>
        new() { ["Database__ConnectionString"] = installation.Database.ConnectionString };

    private Task<HostCommand.Ended> RunAsync(string arguments, Dictionary<string, string> settings)
    {
        var all = Of(site.Installation);
        all["Keys__MasterKey"] = Installation.MasterKey;
        all["Http__PublicPort"] = all["Http__InternalPort"] = all["Http__ManagementPort"] = "0";
        foreach (var (key, value) in settings) all[key] = value;
        return HostCommand.RunAsync(arguments.Split(' '), all);
    }
}
