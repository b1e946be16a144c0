using Npgsql;
using Platform;

namespace Backoffice;

/// <summary>Gives out staff tokens behind which no account stands.</summary>
internal sealed class IssueStaffToken(BackofficeDatabase database, StaffTokens tokens, EventStamps stamps)
{
    /// <summary>Begins the subject of every such token.</summary>
    public const string SubjectPrefix = "operator-";

    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    /// <summary>No token leaves before it is certain that the log will tell of it.</summary>
    /// <param name="role">One of <see cref="StaffRole"/>.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="NpgsqlException">No token was given out.</exception>
    public async Task<string> HandleAsync(string role, CancellationToken cancel)
    {
        var subject = SubjectPrefix + role;
        var stamp = stamps.New(EventActor.Operator);
        var token = tokens.Issue(subject, role, Lifetime);
        await using var connection = await database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await transaction.WriteEventAsync(
            database.ControlSchema, StaffEvents.TokenIssued(stamp, subject, role, stamp.At + Lifetime), cancel);
        await transaction.CommitAsync(cancel);
        return token;
    }
}
