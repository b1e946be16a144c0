using System.Globalization;
using System.Text.Unicode;

namespace Voting;

/// <summary>How a submitted vote ended.</summary>
internal enum OutcomeKind : short
{
    /// <summary>It is in the result.</summary>
    Counted = 1,

    /// <summary>It waits for a reviewer.</summary>
    Held = 2,

    /// <summary>It will never be in the result; the reason says why.</summary>
    Rejected = 3,

    /// <summary>The same vote stands at an earlier offset; this record of it changes nothing.</summary>
    Repeated = 4,
}

/// <summary>Why a vote was rejected, as the wire says it.</summary>
internal static class RejectionReason
{
    public const string Duplicate = "duplicate";
    public const string AfterClose = "after-close";
    public const string Invalid = "invalid";
}

/// <summary>
/// The outcome of one record of <c>votes</c>: a CloudEvent in <c>vote-outcomes</c>, frozen by golden files.
/// </summary>
/// <param name="Partition">Of <c>votes</c>, and of <c>vote-outcomes</c> alike.</param>
/// <param name="Offset">The record's.</param>
/// <param name="Previous">Offset of the record before it that has an outcome, or -1: so a
/// reader sees every gap.</param>
/// <param name="DecidedAt">Whole milliseconds; stored with the row, so that an outcome
/// said again is the same bytes.</param>
/// <param name="Reason">One of <see cref="RejectionReason"/> when rejected, else null.</param>
internal sealed record Outcome(
    OutcomeKind Kind, int Survey, Key16 VoteId, Key16 VoterKey, int Partition, long Offset, long Previous,
    DateTimeOffset DecidedAt, string? Reason)
{
    /// <returns>The event's bytes.</returns>
    public byte[] ToBytes()
    {
        Span<byte> id = stackalloc byte[40];
        Utf8.TryWrite(id, CultureInfo.InvariantCulture, $"{Partition}-{Offset}", out var length);
        var json = EventJson.Begin(Type, "/voting/count", id[..length], DecidedAt);
        json.WriteId("survey"u8, Survey);
        json.WriteId("voteId"u8, VoteId);
        json.WriteId("voterKey"u8, VoterKey);
        json.WriteNumber("partition"u8, Partition);
        json.WriteNumber("offset"u8, Offset);
        json.WriteNumber("previous"u8, Previous);
        if (Reason is not null) json.WriteString("reason"u8, Reason);
        return EventJson.End(json).ToArray();
    }

    private string Type => Kind switch
    {
        OutcomeKind.Counted => "vote.counted",
        OutcomeKind.Held => "vote.held",
        OutcomeKind.Rejected => "vote.rejected",
        OutcomeKind.Repeated => "vote.repeated",
        _ => throw new System.Diagnostics.UnreachableException($"No event for {Kind}."),
    };
}
