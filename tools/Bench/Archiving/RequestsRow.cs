using System.Globalization;
using Npgsql;
using Voting;

namespace Bench;

/// <summary>What role audit asks of a bucket: counted by the process that asks, on a real S3 server.</summary>
internal static class RequestsRow
{
    public const string Name = "requests";

    private const double AMillionVotesMax = 1_000;

    // What is sealed is in the archive, read back, in the index, and compared with the rows. The log of logs holds no
    // event: it is not indexed.
    private const string NothingIsLeft = """
        (SELECT count(*) = 18 AND bool_and(h.published = h.checkpoint AND h.intent IS NULL
            AND coalesce(v.checkpoint, 0) = h.checkpoint
            AND (h.log = 'checkpoints' OR coalesce(i.checkpoint, 0) = h.checkpoint)
            AND CASE WHEN h.log LIKE 'votes-%' THEN coalesce(r.next_offset, 0) =
                coalesce((h.offsets ->> ('votes-' || substr(h.log, 7)::int))::bigint, 0) ELSE true END)
         FROM audit.heads h LEFT JOIN audit.indexed i USING (log)
         LEFT JOIN audit.verified v ON v.log = h.log AND v.kind = 'recent'
         LEFT JOIN audit.reconciled r ON r.log = h.log AND r.kind = 'follow')
        AND NOT EXISTS (SELECT FROM audit.verified WHERE kind = 'pass' AND completed_at IS NULL)
        AND NOT EXISTS (SELECT FROM audit.reconciled WHERE kind = 'pass' AND completed_at IS NULL)
        """;

    // Nothing is sealed before a segment is full; and no pass over everything begins but the first, over nothing.
    private static readonly Dictionary<string, string> Once = new()
    {
        ["Audit__SealAfter"] = "00:01:00",
        ["Audit__Verification__PassInterval"] = "365.00:00:00",
        ["Audit__Reconciliation__PassInterval"] = "365.00:00:00",
        ["Audit__Reconciliation__PollInterval"] = "00:00:01",
    };

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    public static async Task<Row> MeasureAsync(
        Site site, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        progress("Requests: archiving in a bucket ...");
        var settings = await ObjectStore.NewBucketAsync(site, cancel);
        var backoffice = await site.StartHostAsync("backoffice", cancel);
        var paper = await site.PublishAsync(backoffice, cancel);
        var votes = new MadeVotes(
            [MadeVotes.Of(paper)], await InstalledKeys.MacKeyAsync(site.ConnectionString, site.MasterKey, cancel));
        var audit = await site.StartHostAsync(
            "audit",
            settings.Concat(sizes.Quick ? [] : Once).ToDictionary(StringComparer.Ordinal), cancel);
        await using var source = NpgsqlDataSource.Create(site.ConnectionString);
        await UntilAsync(source, NothingIsLeft, cancel);
        var before = await AskedAsync(audit, cancel);

        var count = sizes.ArchivedAPartition * MadeVotes.Partitions;
        await using (var access = new LogAccess(site.ConnectionString))
        {
            await Parallel.ForAsync(0, MadeVotes.Partitions, cancel, async (partition, stop) =>
            {
                var made = votes.Make(partition, sizes.ArchivedAPartition, 0);
                await access.AppendAsync(new(VotingTopics.Votes, partition), made, stop);
            });
            var consumer = await site.StartHostAsync("consumer", cancel);
            while (await access.CountAsync(VotingTopics.Outcomes, cancel) < count) await Task.Delay(Look, cancel);
            await consumer.Process.DisposeAsync();
        }

        await UntilAsync(source, $"""
            (SELECT sum(size) FROM audit.heads WHERE log LIKE 'votes-%') = {count * ArchivedVotes.EntriesAVote}
            AND {NothingIsLeft}
            """, cancel);
        var asked = await AskedAsync(audit, cancel) - before;
        var checkpoints = await ReadAsync<long>(
            source, "SELECT sum(checkpoint)::bigint FROM audit.heads WHERE log LIKE 'votes-%'", cancel);
        return new(Name, "log → bucket: sealed, indexed, verified and reconciled, by role audit",
        [
            new("requests to the bucket", "a million votes", null, asked * 1_000_000 / count,
                new($"≤ {AMillionVotesMax:#,0}", measure => measure.Us <= AMillionVotesMax)),
        ],
        new Dictionary<string, double>
        {
            ["votes"] = count,
            ["requests"] = asked,
            ["checkpoints of votes"] = checkpoints,
            ["entries a segment"] = count * ArchivedVotes.EntriesAVote / (double)checkpoints,
        },
        []);
    }

    private static async Task UntilAsync(NpgsqlDataSource source, string condition, CancellationToken cancel)
    {
        while (!await ReadAsync<bool>(source, $"SELECT coalesce({condition}, false)", cancel))
            await Task.Delay(Look, cancel);
    }

    private static async Task<T> ReadAsync<T>(NpgsqlDataSource source, string sql, CancellationToken cancel)
    {
        await using var query = source.CreateCommand(sql);
        return (T)(await query.ExecuteScalarAsync(cancel))!;
    }

    /// <returns>How many requests the process has made, whatever became of them.</returns>
    private static async Task<double> AskedAsync(HostProgram audit, CancellationToken cancel)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        var metrics = await http.GetStringAsync(new Uri(audit.Management, "/metrics"), cancel);
        return metrics.Split('\n').Where(line => line.StartsWith("archive_requests_total{", StringComparison.Ordinal))
            .Sum(line => double.Parse(line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[0],
                CultureInfo.InvariantCulture));
    }
}
