using Platform;

namespace Audit;

/// <summary>What operators do with the keys of logs: see them, add one, end the old ones.</summary>
/// <remarks>Adding and ending is told: by an event that is archived like any other.</remarks>
internal sealed class RotateLogKeys(
    KeyRing ring, SealedLogs logs, LogVerifiers verifiers, PublishedLogs published, HeadTable heads,
    AuditDatabase database, EventStamps stamps)
{
    /// <summary>Every key that logs sign with, one a line.</summary>
    /// <param name="log">Of one log; null: of all.</param>
    /// <param name="output">Takes the lines.</param>
    /// <exception cref="InvalidSettingsException">There is no such log.</exception>
    public async Task ListAsync(string? log, TextWriter output)
    {
        foreach (var one in Named(log))
        {
            var live = ring.All(one.KeyPurpose).Count;
            foreach (var (i, key) in verifiers(one).Index())
                await output.WriteLineAsync($"{key}{(i < live ? "" : " retired")}");
        }
    }

    /// <summary>Adds a key; processes sign with it, and with those before it, once they have started anew.</summary>
    /// <inheritdoc cref="ListAsync" path="/exception"/>
    public async Task AddAsync(string? log, TextWriter output, CancellationToken cancel)
    {
        await ring.AddAsync(Named(log).Select(one => one.KeyPurpose), cancel);
        await ring.LoadAsync(cancel);
        foreach (var one in Named(log))
        {
            var added = verifiers(one)[0];
            await TellAsync(stamp => AuditEvents.LogKeyAdded(stamp, one.Name, added), cancel);
            await output.WriteLineAsync(added.ToString());
        }
    }

    /// <summary>
    /// Ends every key but the newest, of those logs whose newest checkpoint, as everybody sees it, is signed by that.
    /// </summary>
    /// <returns>False when a log is left because it has not signed with its newest key yet.</returns>
    /// <inheritdoc cref="ListAsync" path="/exception"/>
    public async Task<bool> RetireAsync(string? log, TextWriter output, CancellationToken cancel)
    {
        var isAll = true;
        foreach (var one in Named(log))
        {
            var (keys, live) = (verifiers(one), ring.All(one.KeyPurpose));
            if (live.Count == 1) continue;
            // One that has signed nothing at all may be begun by a process that knows only the old key.
            if (await published.NewestAsync(one.Name, isCosigned: false, cancel) is not { } newest
                || newest.Verify([keys[0]], out _) is not NoteVerdict.Verified)
            {
                isAll = false;
                await output.WriteLineAsync($"{one.Name} has not signed with its newest key yet: nothing is retired");
                continue;
            }

            // What is sealed from here on is signed by the newest.
            var last = (await heads.LoadAsync(one.Name, cancel)).Checkpoint;
            foreach (var (i, old) in live.Index().Skip(1))
            {
                if (!await ring.RetireAsync(one.KeyPurpose, old.KeyId, last, cancel)) continue;
                await TellAsync(stamp => AuditEvents.LogKeyRetired(stamp, one.Name, keys[i], last), cancel);
                await output.WriteLineAsync($"{keys[i]} retired");
            }
        }

        return isAll;
    }

    private async Task TellAsync(Func<EventStamp, OutboxEvent> compose, CancellationToken cancel)
    {
        var told = compose(stamps.New(EventActor.Operator));
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await transaction.WriteEventAsync(database.ControlSchema, told, cancel);
        await transaction.CommitAsync(cancel);
    }

    private IEnumerable<SealedLog> Named(string? log)
    {
        if (log is null) return logs.All;
        SealedLog[] named = [.. logs.All.Where(one => one.Name == log)];
        return named.Length > 0 ? named : throw new InvalidSettingsException($"There is no log {log}.");
    }
}
