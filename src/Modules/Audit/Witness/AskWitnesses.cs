using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Audit;

/// <summary>
/// Has every newly published checkpoint signed by the witnesses, and keeps their signatures beside it.
/// </summary>
/// <remarks>
/// Sealing waits for none of them. Of several processes each may ask: a witness signs the same tree as often as it is
/// asked, and only the signature of the largest is kept.
/// </remarks>
internal sealed partial class AskWitnesses(
    AuditDatabase database, PublishedLogs logs, TileTable tiles, WitnessLink link, IOptions<AuditOptions> audit,
    IOptions<WitnessOptions> options, ReadingMetrics metrics, TimeProvider clock, ILogger<AskWitnesses> logger)
    : BackgroundService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    // Side by side: one that does not answer keeps no other waiting.
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Loops.RunAsync(
        stoppingToken,
        audit.Value.Witnesses.Select<WitnessPlace, Func<CancellationToken, Task>>(
            place => stop => FollowAsync(place, stop)));

    private async Task FollowAsync(WitnessPlace place, CancellationToken stop)
    {
        if (!VerifierKey.TryParse(place.VerifierKey, out var key))
            throw new InvalidOperationException("The settings were checked at the start.");
        var witness = new Witness(new($"{place.Url.TrimEnd('/')}/add-checkpoint"), key, place.AllLogs);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await RoundAsync(witness, stop);
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException or InvalidDataException)
            {
                Interrupted(logger, e);
            }

            await Task.Delay(options.Value.PollInterval, clock, stop);
        }
    }

    private async Task RoundAsync(Witness witness, CancellationToken stop)
    {
        foreach (var (log, signedSize) in await WaitingAsync(witness, stop))
        {
            if (witness.Pauses.TryGetValue(log, out var pause) && clock.GetElapsedTime(pause.Since) < pause.Length)
                continue;
            var refusal = await AskAsync(witness, log, signedSize, stop);
            metrics.Witnessed(witness.Key.Name, refusal is null);
            if (refusal is null)
            {
                witness.Pauses.Remove(log);
                continue;
            }

            var length = pause.Length == default ? FirstPause : pause.Length * 2;
            var longest = options.Value.RetryPauseMax;
            witness.Pauses[log] = (clock.GetTimestamp(), length < longest ? length : longest);
            NotSigned(logger, witness.Key.Name, log, refusal);
        }
    }

    /// <returns>Null when it has signed, else why not.</returns>
    private async Task<string?> AskAsync(Witness witness, string log, long signedSize, CancellationToken stop)
    {
        // It is asked to sign what the log signed, not what others did.
        if (await logs.NewestAsync(log, isCosigned: false, stop) is not { } newest) return null;
        var size = newest.Checkpoint.Size;
        for (var attempt = 0; ; attempt++)
        {
            var from = Math.Min(signedSize, size);
            var proof = await TreeProofs.ConsistencyAsync(from, size, tiles.Of(log), stop);
            var reply = await link.AddAsync(
                witness.Address, witness.Key, new(from, proof, newest), options.Value.RequestTimeout, stop);
            switch (reply)
            {
                case WitnessReply.Signed signed:
                    await StoreAsync(witness, log, newest.Checkpoint, signed.Line, stop);
                    return null;
                case WitnessReply.OtherSize other when other.Size > size:
                    return $"it has signed {other.Size} entries, which is more than the {size} that are published";
                case WitnessReply.OtherSize other when attempt == 0 && other.Size != from:
                    signedSize = other.Size;
                    break;
                case WitnessReply.OtherSize:
                    return "it has signed another tree of that size";
                case WitnessReply.Refused refused:
                    return refused.Reason;
            }
        }
    }

    /// <returns>Logs whose newest checkpoint the witness has not signed, and the size that it signed last.</returns>
    private async Task<List<(string Log, long SignedSize)>> WaitingAsync(Witness witness, CancellationToken stop)
    {
        await using var query = database.Control.CreateCommand("""
            SELECT h.log, coalesce(c.size, 0) FROM audit.heads h
            LEFT JOIN audit.cosignatures c ON c.log = h.log AND c.witness = $1
            WHERE h.note IS NOT NULL AND (c.text IS NULL OR NOT starts_with(h.note, c.text || E'\n'))
                AND ($2 OR h.log = $3)
            ORDER BY h.log
            """);
        query.Parameters.Add(new() { Value = witness.Key.ToString() });
        query.Parameters.Add(new() { Value = witness.AllLogs });
        query.Parameters.Add(new() { Value = SealedLogs.CheckpointsName });
        await using var rows = await query.ExecuteReaderAsync(stop);
        var waiting = new List<(string, long)>();
        while (await rows.ReadAsync(stop)) waiting.Add((rows.GetString(0), rows.GetInt64(1)));
        return waiting;
    }

    private async Task StoreAsync(
        Witness witness, string log, Checkpoint checkpoint, NoteSignature line, CancellationToken stop)
    {
        await using var store = database.Control.CreateCommand("""
            INSERT INTO audit.cosignatures AS c (log, witness, size, text, line, seen_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (log, witness) DO UPDATE SET size = $3, text = $4, line = $5, seen_at = $6 WHERE c.size <= $3
            """);
        store.Parameters.Add(new() { Value = log });
        store.Parameters.Add(new() { Value = witness.Key.ToString() });
        store.Parameters.Add(new() { Value = checkpoint.Size });
        store.Parameters.Add(new() { Value = checkpoint.Text });
        store.Parameters.Add(new() { Value = line.Line });
        store.Parameters.Add(new() { Value = clock.GetUtcNow() });
        await store.ExecuteNonQueryAsync(stop);
    }

    [LoggerMessage(LogLevel.Warning, "Witness {Witness} did not sign the newest checkpoint of {Log}: {Reason}")]
    private static partial void NotSigned(ILogger logger, string witness, string log, string reason);

    [LoggerMessage(LogLevel.Warning, "Asking witnesses was interrupted; it goes on by itself")]
    private static partial void Interrupted(ILogger logger, Exception failure);

    /// <summary>A witness, and the logs that it is not asked about for a while.</summary>
    private sealed record Witness(Uri Address, VerifierKey Key, bool AllLogs)
    {
        public Dictionary<string, (long Since, TimeSpan Length)> Pauses { get; } = new(StringComparer.Ordinal);
    }
}
