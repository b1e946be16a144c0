using System.Text;
using Npgsql;

namespace Audit;

/// <summary>
/// Brings the checkpoints of the other logs to the log of logs: their notes, once the archive holds them.
/// </summary>
internal sealed class NoteFeed(
    SealedLog sealedLog, AuditDatabase database, AuditOptions options, TimeProvider clock) : IEntryFeed
{
    private readonly Dictionary<string, List<FeedEntry>> _loaded = new(StringComparer.Ordinal);
    private LogHead? _head;
    private long? _askedAt;

    /// <summary>
    /// How long it is since it was last known that nothing waits, or what waits was sealed: grows while sealing fails.
    /// </summary>
    public TimeSpan Waiting => _askedAt is { } at ? clock.GetElapsedTime(at) : TimeSpan.Zero;

    public ValueTask SeekAsync(LogHead head, CancellationToken cancel)
    {
        _head = head;
        _loaded.Clear();
        return ValueTask.CompletedTask;
    }

    public async ValueTask<IReadOnlyList<OffsetRange>> WaitAsync(CancellationToken cancel)
    {
        while (true)
        {
            // Whatever is published meanwhile is sealed together.
            await Task.Delay(options.SealAfter, clock, cancel);
            _askedAt = clock.GetTimestamp();
            if (await PublishedAsync(cancel) is { Count: > 0 } ranges) return ranges;
        }
    }

    public async ValueTask LoadAsync(IReadOnlyList<OffsetRange> ranges, CancellationToken cancel)
    {
        foreach (var range in ranges)
        {
            var source = sealedLog.Sources.FirstOrDefault(source => source.Name == range.Source)
                ?? throw new InvalidOperationException($"{sealedLog.Name} has no source {range.Source}.");
            await using var query = database.Control.CreateCommand("""
                SELECT checkpoint, note FROM audit.segments
                WHERE log = $1 AND checkpoint >= $2 AND checkpoint < $3
                ORDER BY checkpoint
                """);
            query.Parameters.Add(new NpgsqlParameter<string> { TypedValue = range.Source });
            query.Parameters.Add(new NpgsqlParameter<long> { TypedValue = range.From });
            query.Parameters.Add(new NpgsqlParameter<long> { TypedValue = range.To });
            var notes = new List<FeedEntry>();
            await using var rows = await query.ExecuteReaderAsync(cancel);
            while (await rows.ReadAsync(cancel))
                notes.Add(new(source, rows.GetInt64(0), Encoding.UTF8.GetBytes(rows.GetString(1))));
            if (notes.Count == 0 || notes[^1].Offset != range.To - 1)
            {
                // It sealed them once: either it is restored to an older state and about to adopt them, or never will.
                throw new TimeoutException($"Log {range.Source} does not have its checkpoint {range.To - 1} yet.");
            }

            _loaded[range.Source] = notes;
        }
    }

    public IEnumerable<FeedEntry> Entries(OffsetRange range) => _loaded[range.Source];

    public ValueTask CommitAsync(LogHead head, CancellationToken cancel) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>What the archive holds of each log and the log of logs does not.</summary>
    private async Task<List<OffsetRange>> PublishedAsync(CancellationToken cancel)
    {
        var published = new Dictionary<string, long>(StringComparer.Ordinal);
        await using var query = database.Control.CreateCommand("SELECT log, published FROM audit.heads");
        await using var rows = await query.ExecuteReaderAsync(cancel);
        while (await rows.ReadAsync(cancel)) published[rows.GetString(0)] = rows.GetInt64(1);
        var ranges = new List<OffsetRange>();
        var left = (long)options.SealEntryCountMax;
        foreach (var source in sealedLog.Sources)
        {
            // Checkpoints are counted from 1.
            var from = _head!.OffsetOf(source.Name);
            var first = Math.Max(1, from);
            var to = Math.Min(published.GetValueOrDefault(source.Name) + 1, first + left);
            if (to <= first) continue;
            left -= to - first;
            ranges.Add(new(source.Name, from, to));
        }

        return ranges;
    }
}
