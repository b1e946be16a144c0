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

    /// <summary>A member of staff was refused what was asked for.</summary>
    /// <param name="stamp">Which, when, who.</param>
    /// <param name="method">HTTP's.</param>
    /// <param name="route">The form of the address, such as <c>/v1/internal/surveys/{id}</c>.</param>
    /// <param name="survey">The survey that the address names, or null.</param>
    /// <param name="status">HTTP's.</param>
    public static OutboxEvent Refused(EventStamp stamp, string method, string route, string? survey, int status) =>
        OutboxEvent.Compose("staff.refused", Source, $"staff/{stamp.Actor.Name}", stamp, json =>
        {
            json.WriteString("method"u8, method);
            json.WriteString("route"u8, route);
            if (survey is not null) json.WriteString("survey"u8, survey);
            json.WriteNumber("status"u8, status);
        });
}
