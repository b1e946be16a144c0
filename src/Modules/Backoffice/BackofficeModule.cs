using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Platform;

namespace Backoffice;

/// <summary>The module's one entry: only the host calls it.</summary>
public static class BackofficeModule
{
    /// <summary>What staff did, on its way to the log, in the control database.</summary>
    public static MigrationSet Migrations { get; } = new("backoffice", typeof(BackofficeModule).Assembly);

    /// <summary>Registers the settings, and that operators' tokens open nothing where accounts are required.</summary>
    public static void AddBackoffice(this IHostApplicationBuilder host, Role roles)
    {
        host.Services.AddSettings<BackofficeOptions>("Backoffice");
        host.Services.AddSingleton<BackofficeDatabase>();
        host.Services.AddOutbox<BackofficeDatabase>(OutboxPlaces.Control);
        host.Services.AddSingleton<IssueStaffToken>();
        if (roles.HasFlag(Role.Backoffice)) host.Services.AddSingleton<IStartupFilter, TellRefusals>();
        host.Services.AddSingleton<StaffAdmission>(services =>
        {
            var options = services.GetRequiredService<IOptions<BackofficeOptions>>();
            return caller => !options.Value.RequireAccounts
                || !caller.Subject.StartsWith(IssueStaffToken.SubjectPrefix, StringComparison.Ordinal);
        });
    }

    /// <summary>Maps what staff do beyond what the other modules offer them: nothing so far.</summary>
    public static void MapBackoffice(this IEndpointRouteBuilder endpoints, Role roles)
    {
    }

    /// <summary>
    /// Loads the keys and signs a staff token for 12 hours, while accounts are not required; the log tells of it.
    /// </summary>
    /// <param name="services">The application's.</param>
    /// <param name="role">manager, investigator, auditor or admin.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="InvalidSettingsException">Accounts are required, or there is no such role.</exception>
    public static async Task<string> IssueStaffTokenAsync(
        IServiceProvider services, string role, CancellationToken cancel)
    {
        if (services.GetRequiredService<IOptions<BackofficeOptions>>().Value.RequireAccounts)
        {
            throw new InvalidSettingsException(
                "Staff sign in with accounts here: no token is given out unless Backoffice__RequireAccounts is false.");
        }

        if (!StaffRole.All.Contains(role))
        {
            throw new InvalidSettingsException(
                $"There is no staff role {role}; the roles are {string.Join(", ", StaffRole.All)}.");
        }

        await services.GetRequiredService<KeyRing>().LoadAsync(cancel);
        return await services.GetRequiredService<IssueStaffToken>().HandleAsync(role, cancel);
    }
}
