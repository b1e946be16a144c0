namespace ChaosTests;

/// <summary>Tests whose faults leave every process alive share one installation.</summary>
[CollectionDefinition(Name)]
public sealed class RacesSite : ICollectionFixture<Site>
{
    public const string Name = "races";
}

/// <summary>Tests that kill what counts.</summary>
[CollectionDefinition(Name)]
public sealed class CountingSite : ICollectionFixture<Site>
{
    public const string Name = "counting";
}

/// <summary>Tests of the same on Kafka.</summary>
[CollectionDefinition(Name)]
public sealed class OnKafka : ICollectionFixture<KafkaSite>
{
    public const string Name = "on Kafka";
}

/// <summary>Tests that kill what accepts, or the database's sessions.</summary>
[CollectionDefinition(Name)]
public sealed class AcceptingSite : ICollectionFixture<Site>
{
    public const string Name = "accepting";
}

/// <summary>Tests whose api processes share their reservations.</summary>
[CollectionDefinition(Name)]
public sealed class SharingSite : ICollectionFixture<RedisSite>
{
    public const string Name = "sharing";
}
