using Platform;

namespace Backoffice;

/// <summary>
/// What happens among staff, as it stands in <c>domain-events</c>: CloudEvents whose bytes are frozen by golden files.
/// </summary>
internal static class StaffEvents
{
    private const string Source = "/backoffice/staff";

    /// <summary>Somebody was given a token.</summary>
    /// <param name="stamp">Which, when, by whom.</param>
    /// <param name="subject">Whom the token names.</param>
    /// <param name="role">One of <see cref="StaffRole"/>.</param>
    /// <param name="expiresAt">From when on it is not taken any more.</param>
    public static OutboxEvent TokenIssued(EventStamp stamp, string subject, string role, DateTimeOffset expiresAt) =>
        OutboxEvent.Compose("staff.token-issued", Source, $"staff/{subject}", stamp, json =>
        {
            json.WriteString("subject"u8, subject);
            json.WriteString("role"u8, role);
            json.WriteString("expiresAt"u8, OutboxEvent.Time(expiresAt));
        });
}
