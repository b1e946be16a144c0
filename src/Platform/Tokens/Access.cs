using Microsoft.AspNetCore.Authorization;

namespace Platform;

/// <summary>Who may call an endpoint: <c>.RequireAuthorization(Access.Voter)</c>.</summary>
public static class Access
{
    /// <summary>Name of the policy: any voter with a valid access token.</summary>
    public const string Voter = "voter";

    internal const string StaffScheme = "staff";

    internal static AuthorizationPolicy VoterPolicy { get; } =
        new AuthorizationPolicyBuilder(Voter).RequireAuthenticatedUser().Build();

    /// <returns>The policy: staff with one of the roles, or admins; with no role named, all staff.</returns>
    /// <param name="roles">Of <see cref="StaffRole"/>.</param>
    public static AuthorizationPolicy Staff(params string[] roles)
    {
        var unknown = roles.FirstOrDefault(role => !StaffRole.All.Contains(role));
        if (unknown is not null) throw new ArgumentException($"There is no staff role {unknown}.", nameof(roles));

        var policy = new AuthorizationPolicyBuilder(StaffScheme).RequireAuthenticatedUser();
        return roles.Length == 0 ? policy.Build() : policy.RequireRole([StaffRole.Admin, .. roles]).Build();
    }
}

/// <summary>What staff may be.</summary>
public static class StaffRole
{
    /// <summary>Makes, publishes and finishes surveys.</summary>
    public const string Manager = "manager";

    /// <summary>Looks into fraud, decides on held votes.</summary>
    public const string Investigator = "investigator";

    /// <summary>Reads the archive.</summary>
    public const string Auditor = "auditor";

    /// <summary>Includes the others.</summary>
    public const string Admin = "admin";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Manager, Investigator, Auditor, Admin];
}
