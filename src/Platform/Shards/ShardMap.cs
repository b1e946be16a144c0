using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>The control database. Section <c>Database</c>.</summary>
public sealed class DatabaseOptions
{
    /// <summary>
    /// Npgsql connection string of the installation's owner: it migrates, and may take every module's role.
    /// </summary>
    [Required(ErrorMessage = "Set Database__ConnectionString to the control database, such as "
        + "Host=127.0.0.1;Database=voting;Username=voting;Password=…")]
    [NpgsqlConnectionString(ErrorMessage = "Database__ConnectionString is no Npgsql connection string, such as "
        + "Host=127.0.0.1;Database=voting;Username=voting;Password=…")]
    public string ConnectionString { get; set; } = "";

    /// <summary>Most connections a module's pool opens to one database.</summary>
    [Range(2, 1_000)]
    public int PoolSizeMax { get; set; } = 24;

    /// <summary>
    /// After how long a silence the server ends a session of ours that holds something for others: a process that
    /// hangs, or whose machine is gone, keeps its rows and locks no longer.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan SilenceMax { get; set; } = TimeSpan.FromSeconds(10);
}

/// <summary>Which shard holds what. Section <c>Shards</c>.</summary>
public sealed class ShardOptions
{
    /// <summary>The shards; empty means 16 (or as many as there are partitions) in the control database.</summary>
    [ValidateEnumeratedItems]
    public ShardPlace[] Map { get; set; } = [];
}

/// <summary>One shard's place.</summary>
public sealed class ShardPlace
{
    /// <summary>0 to 99; names the schemas.</summary>
    [Range(0, 99)]
    public int Number { get; set; }

    /// <summary>The partitions it holds, such as <c>0-3</c> or <c>7</c>, both ends included.</summary>
    [Required]
    public string Partitions { get; set; } = "";

    /// <summary>Npgsql connection string; empty means the control database.</summary>
    [NpgsqlConnectionString(ErrorMessage = "Shards__Map: a ConnectionString is no Npgsql connection string")]
    public string ConnectionString { get; set; } = "";

    /// <summary>Where votes of its buckets are accepted.</summary>
    [Required, StringLength(64)]
    public string Region { get; set; } = "local";

    /// <summary>Raised whenever partitions move: a process with an older one writes nothing.</summary>
    [Range(1, int.MaxValue)]
    public int Epoch { get; set; } = 1;
}

/// <summary>The size of the log. Section <c>Log</c>; what one provider needs stands beside that provider.</summary>
public sealed class LogOptions
{
    /// <summary>
    /// <c>kafka</c> or <c>postgres</c>; empty means Kafka where brokers are set, else the embedded default, in role
    /// <c>all</c> only.
    /// </summary>
    [RegularExpression("kafka|postgres", ErrorMessage = "Log__Provider is kafka or postgres")]
    public string Provider { get; set; } = "";

    /// <summary>P: partitions of <c>votes</c>. Fixed at installation.</summary>
    [Range(1, 1_024)]
    public int VotePartitions { get; set; } = 16;
}

/// <summary>One shard as the map has it.</summary>
/// <param name="Number">Names its schemas: <c>voting_07</c>.</param>
/// <param name="PartitionFirst">First partition that it holds.</param>
/// <param name="PartitionLast">Last one, included.</param>
/// <param name="ConnectionString">The database it lies in, with the owner's login.</param>
/// <param name="Epoch">Must equal the one that the shard stores, or writes to it are refused.</param>
public sealed record ShardEntry(int Number, int PartitionFirst, int PartitionLast, string ConnectionString, int Epoch);

/// <summary>Partition → shard. Built once; every partition is held by exactly one shard.</summary>
public sealed class ShardMap
{
    private readonly ShardEntry[] _byPartition;

    /// <exception cref="OptionsValidationException">A partition is held by no shard or by two.</exception>
    public ShardMap(IOptions<ShardOptions> shards, IOptions<DatabaseOptions> database, IOptions<LogOptions> log)
    {
        Partitions = log.Value.VotePartitions;
        Shards = shards.Value.Map.Length == 0
            ? Default(Partitions, database.Value.ConnectionString)
            : [.. shards.Value.Map.Select(place => Entry(place, database.Value.ConnectionString))
                .OrderBy(shard => shard.Number)];
        _byPartition = new ShardEntry[Partitions];
        foreach (var shard in Shards)
        {
            for (var partition = shard.PartitionFirst; partition <= shard.PartitionLast; partition++)
            {
                if (partition >= Partitions || _byPartition[partition] is not null)
                {
                    throw Invalid(
                        $"Shards__Map: partition {partition} of {Partitions} is named twice or is not there.");
                }

                _byPartition[partition] = shard;
            }
        }

        var missing = Array.IndexOf(_byPartition, null!);
        if (missing >= 0) throw Invalid($"Shards__Map: no shard holds partition {missing} of {Partitions}.");
        if (Shards.DistinctBy(shard => shard.Number).Count() != Shards.Count)
            throw Invalid("Shards__Map: two shards have the same number.");
    }

    /// <summary>P.</summary>
    public int Partitions { get; }

    /// <summary>By number.</summary>
    public IReadOnlyList<ShardEntry> Shards { get; }

    /// <returns>The shard that holds the partition.</returns>
    public ShardEntry OfPartition(int partition) => _byPartition[partition];

    /// <returns>The shard that holds the bucket.</returns>
    public ShardEntry OfBucket(int bucket) => _byPartition[Buckets.Partition(bucket, Partitions)];

    private static ShardEntry[] Default(int partitions, string connection)
    {
        var count = Math.Min(16, partitions);
        return [.. Enumerable.Range(0, count).Select(number => new ShardEntry(
            number, number * partitions / count, (number + 1) * partitions / count - 1, connection, 1))];
    }

    private static ShardEntry Entry(ShardPlace place, string control)
    {
        var ends = place.Partitions.Split('-', 2);
        if (!int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            || !int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var last) || last < first)
        {
            throw Invalid($"Shards__Map: write the partitions of shard {place.Number} like 0-3 or 7.");
        }

        var connection = place.ConnectionString is "" ? control : place.ConnectionString;
        return new(place.Number, first, last, connection, place.Epoch);
    }

    private static OptionsValidationException Invalid(string message) =>
        new(nameof(ShardOptions), typeof(ShardOptions), [message]);
}
