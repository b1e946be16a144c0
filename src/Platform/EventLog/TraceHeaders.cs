using System.Diagnostics;
using System.Text;

namespace Platform;

/// <summary>Lets a trace go on behind the log: W3C trace context in the records' headers.</summary>
internal static class TraceHeaders
{
    public const string Parent = "traceparent";
    public const string State = "tracestate";

    // W3C asks for at least 512 to be passed on; what is longer is left out, as it allows.
    private const int StateLengthMax = 512;

    /// <summary>What goes on of the current activity: both null when none is recorded.</summary>
    public static (string? Parent, string? State) Current =>
        Activity.Current is { Recorded: true, IdFormat: ActivityIdFormat.W3C, Id: { } parent } activity
            ? (parent, activity.TraceStateString is { Length: > 0 and <= StateLengthMax } said ? said : null)
            : default;

    /// <returns>The headers of a context that was kept; null when there is none.</returns>
    public static LogHeader[]? Of(string? parent, string? state)
    {
        if (parent is null) return null;
        var header = new LogHeader(Parent, Encoding.ASCII.GetBytes(parent));
        return state is null ? [header] : [header, new(State, Encoding.ASCII.GetBytes(state))];
    }

    /// <returns>The same for several; the list itself when nothing is to be added.</returns>
    public static IReadOnlyList<LogRecord> Attach(IReadOnlyList<LogRecord> records) =>
        Activity.Current is { Recorded: true } ? [.. records.Select(record => Attach(record))] : records;

    /// <returns>
    /// The record with the current activity's context; as it is when none is recorded, or it has one, or has no room.
    /// </returns>
    public static LogRecord Attach(in LogRecord record)
    {
        // Most appends are of requests that nobody traces: those cost one look at an AsyncLocal and no allocation.
        if (Activity.Current is not { Recorded: true, IdFormat: ActivityIdFormat.W3C, Id: { } parent } activity)
            return record;
        var state = activity.TraceStateString is { Length: > 0 and <= StateLengthMax } said ? said : null;
        var own = record.Headers ?? [];
        var count = own.Length + (state is null ? 1 : 2);
        if (count > RecordLimits.HeaderCountMax || own.Any(header => header.Name is Parent)) return record;
        var headers = new LogHeader[count];
        own.CopyTo(headers, 0);
        headers[own.Length] = new(Parent, Encoding.ASCII.GetBytes(parent));
        if (state is not null) headers[^1] = new(State, Encoding.ASCII.GetBytes(state));
        return record with { Headers = headers };
    }
}
