using Platform;

namespace PlatformTests;

public sealed class TopicDifferencesTests
{
    private static readonly KafkaLogOptions Expected = new() { TopicPrefix = "here." };
    private static readonly Topic Kept = new("kept", 2);
    private static readonly Topic Compacted = new("newest", 1, TimeSpan.FromHours(1), Compacted: true);

    [Fact]
    public void A_topic_as_it_was_created_does_not_differ()
    {
        foreach (var topic in new[] { Kept, Compacted })
            Assert.Empty(TopicDifferences.Of(topic, AsCreated(topic), Expected));
    }

    [Fact]
    public void More_copies_and_larger_batches_are_as_good()
    {
        var better = AsCreated(Kept, ("min.insync.replicas", "3"), ("max.message.bytes", "5000000"));
        Assert.Empty(TopicDifferences.Of(Kept, better with { Replicas = [5, 4] }, Expected));
        var otherwise = AsCreated(Compacted, ("cleanup.policy", "delete,compact"));
        Assert.Empty(TopicDifferences.Of(Compacted, otherwise, Expected));
    }

    [Fact]
    public void What_is_not_deleted_by_age_and_what_is_are_told_apart()
    {
        Assert.Equal("-1", TopicDifferences.Settings(Kept, Expected)["retention.ms"]);
        Assert.Equal("delete", TopicDifferences.Settings(Kept, Expected)["cleanup.policy"]);
        Assert.Equal("3600000", TopicDifferences.Settings(Compacted, Expected)["retention.ms"]);
        Assert.Equal("compact,delete", TopicDifferences.Settings(Compacted, Expected)["cleanup.policy"]);
        Assert.Equal("compact", TopicDifferences.Settings(new("all", 1, Compacted: true), Expected)["cleanup.policy"]);
    }

    [Theory]
    [InlineData("retention.ms", "604800000")]
    [InlineData("retention.bytes", "1000000")]
    [InlineData("cleanup.policy", "compact")]
    [InlineData("min.insync.replicas", "1")]
    [InlineData("unclean.leader.election.enable", "true")]
    [InlineData("message.timestamp.type", "CreateTime")]
    [InlineData("max.message.bytes", "1000")]
    public void A_setting_that_differs_is_named_with_both_values(string setting, string value)
    {
        var said = Assert.Single(TopicDifferences.Of(Kept, AsCreated(Kept, (setting, value)), Expected));

        var expected = TopicDifferences.Settings(Kept, Expected)[setting];
        Assert.Equal($"here.kept has {setting}={value} instead of {expected}.", said);
    }

    [Fact]
    public void Every_difference_is_listed()
    {
        Assert.Equal(["here.kept is missing."], TopicDifferences.Of(Kept, null, Expected));
        Assert.Equal(
            [
                "here.kept has 3 partitions instead of 2.", "here.kept-1 has 1 replicas instead of 3.",
                "here.kept has retention.ms=nothing instead of -1.",
            ],
            TopicDifferences.Of(Kept, AsCreated(Kept, ("retention.ms", null)) with { Replicas = [3, 1, 3] }, Expected));
    }

    private static FoundTopic AsCreated(Topic topic, params (string Setting, string? Value)[] but)
    {
        var settings = TopicDifferences.Settings(topic, Expected);
        foreach (var (setting, value) in but)
        {
            if (value is null) settings.Remove(setting);
            else settings[setting] = value;
        }

        return new([.. Enumerable.Repeat(Expected.Replication, topic.Partitions)], settings);
    }
}
