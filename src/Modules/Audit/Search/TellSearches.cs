using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;
using Platform;

namespace Audit;

/// <summary>
/// Tells of auditors what they searched for: before they get an answer, so that nobody looks and is not seen.
/// </summary>
internal sealed class TellSearches(AuditDatabase database, EventStamps stamps)
{
    /// <summary>Somebody searched; a further page of the same search is told as well.</summary>
    public Task SearchedAsync(StaffCaller caller, EventFilter filter, bool isFirstPage, CancellationToken cancel) =>
        TellAsync(
            "staff.events-searched", caller, filter, json => json.WriteBoolean("firstPage"u8, isFirstPage), cancel);

    /// <summary>Somebody was given a file.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="filter">Of which events.</param>
    /// <param name="withEvents">Whether with the events themselves: what was chosen stands in them.</param>
    /// <param name="cancel">Ends it.</param>
    public Task ExportedAsync(StaffCaller caller, EventFilter filter, bool withEvents, CancellationToken cancel) =>
        TellAsync("staff.events-exported", caller, filter, json => json.WriteBoolean("events"u8, withEvents), cancel);

    /// <returns>The event: the search as it was asked, what was not asked for left out.</returns>
    internal static OutboxEvent Compose(
        string type, EventStamp stamp, EventFilter filter, Action<Utf8JsonWriter> rest) =>
        OutboxEvent.Compose(type, "/audit/events", $"staff/{stamp.Actor.Name}", stamp, json =>
        {
            json.WriteStartObject("searched"u8);
            if (filter.Vote is { } vote) json.WriteString("vote"u8, Text(vote));
            if (filter.VoterKey is { } voter) json.WriteString("voterKey"u8, Text(voter));
            if (filter.Survey is { } survey)
                json.WriteString("survey"u8, survey.ToString(CultureInfo.InvariantCulture));
            if (filter.Type is { } searched) json.WriteString("type"u8, searched);
            if (filter.Actor is { } actor) json.WriteString("actor"u8, actor);
            if (filter.From is { } from) json.WriteString("from"u8, OutboxEvent.Time(from));
            if (filter.To is { } to) json.WriteString("to"u8, OutboxEvent.Time(to));
            json.WriteEndObject();
            rest(json);
        });

    private static string Text(byte[] key) => Base64Url.EncodeToString(key);

    private async Task TellAsync(
        string type, StaffCaller caller, EventFilter filter, Action<Utf8JsonWriter> rest, CancellationToken cancel)
    {
        var told = Compose(type, stamps.New(EventActor.Of(caller)), filter, rest);
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await transaction.WriteEventAsync(database.ControlSchema, told, cancel);
        await transaction.CommitAsync(cancel);
    }
}
