using System.ComponentModel.DataAnnotations;

namespace Voting;

/// <summary>What casting and closing agree on. Section <c>Voting</c>.</summary>
internal sealed class VotingOptions
{
    /// <summary>How long an api process may trust its last reading of a survey's state.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Where reservations are kept: <c>in-process</c>; empty means in Redis where <c>Redis__ConnectionString</c> names
    /// one, else the embedded default, in role <c>all</c> only. Named, it runs in any role: of several api processes
    /// each knows only its own, and the shards' rows decide between them.
    /// </summary>
    [RegularExpression("(in-process)?", ErrorMessage = "Set Voting__Reservations to in-process")]
    public string Reservations { get; set; } = "";

    /// <summary>
    /// Most reservations kept in process, about 400 bytes each. With Redis they are the newest of this process's own.
    /// </summary>
    [Range(1_000, 50_000_000)]
    public int ReservationCountMax { get; set; } = 2_000_000;

    /// <summary>
    /// How long Redis keeps a reservation. Longer than counting may ever be behind: from then on the row answers.
    /// </summary>
    [Range(typeof(TimeSpan), "00:10:00", "90.00:00:00")]
    public TimeSpan ReservationLifetime { get; set; } = TimeSpan.FromDays(7);

    /// <summary>Longest wait for the log's acknowledgement of a ballot; then its outcome is unknown.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:01:00")]
    public TimeSpan AppendTimeout { get; set; } = TimeSpan.FromSeconds(10);
}

/// <summary>How counting groups records. Section <c>Voting:CountVotes</c>.</summary>
internal sealed class CountVotesOptions
{
    /// <summary>Largest batch, in records. Bigger means fewer commits and a longer replay after a crash.</summary>
    [Range(1, 10_000)]
    public int BatchCountMax { get; set; } = 1_000;

    /// <summary>Longest wait of one read of the log.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:10")]
    public TimeSpan ReadWait { get; set; } = TimeSpan.FromSeconds(1);
}
