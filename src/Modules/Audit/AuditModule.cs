using Audit.Contracts;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Platform;

namespace Audit;

/// <summary>Archive, transparency logs and proofs. The module's one entry: only the host calls it.</summary>
public static class AuditModule
{
    /// <summary>How far logs are sealed, their trees, and the index of their events, in the control database.</summary>
    public static MigrationSet Migrations { get; } = new("audit", typeof(AuditModule).Assembly);

    /// <summary>Registers settings and services, and the loops of the roles.</summary>
    public static void AddAudit(this IHostApplicationBuilder host, Role roles)
    {
        host.AddArchive(roles);
        host.AddSealing(roles);
        host.AddReading(roles);
    }

    /// <summary>
    /// What has to hold before a process of role <see cref="Role.Audit"/> starts: what it archives cannot be deleted. A
    /// store that does not answer is a warning only.
    /// </summary>
    /// <exception cref="InvalidSettingsException">The store that the settings name does not hold to that.</exception>
    public static Task RequireArchiveAsync(IServiceProvider services, Role roles, CancellationToken cancel) =>
        roles.HasFlag(Role.Audit) ? ArchiveSetup.RequireArchiveAsync(services, cancel) : Task.CompletedTask;

    /// <summary>Sets the archive's store up, and says what was done, one a line. Safe to repeat.</summary>
    /// <exception cref="IOException">The store did not answer or refused; the message is one line.</exception>
    public static async Task InitArchiveAsync(IServiceProvider services, TextWriter output, CancellationToken cancel)
    {
        foreach (var done in await services.GetRequiredService<IArchiveAdmin>().InitAsync(cancel))
            await output.WriteLineAsync(done);
    }

    /// <summary>Says how the archive's store differs from what the settings ask for, one difference a line.</summary>
    /// <returns>False when it differs.</returns>
    /// <exception cref="IOException">The store did not answer or refused; the message is one line.</exception>
    public static async Task<bool> CheckArchiveAsync(
        IServiceProvider services, TextWriter output, CancellationToken cancel)
    {
        var differences = await services.GetRequiredService<IArchiveAdmin>().DifferencesAsync(cancel);
        foreach (var difference in differences) await output.WriteLineAsync(difference);
        if (services.GetService<DirectoryArchive>() is { } directory)
            await output.WriteLineAsync($"Note: {directory.Root} is a directory, which is not WORM.");
        return differences.Count == 0;
    }

    /// <summary>Lists the keys of a log, or of all: one verifier key a line, the newest first.</summary>
    /// <exception cref="InvalidSettingsException">There is no such log.</exception>
    public static Task ListLogKeysAsync(IServiceProvider services, string? log, TextWriter output) =>
        services.GetRequiredService<RotateLogKeys>().ListAsync(log, output);

    /// <summary>Adds a key to a log, or to all of them; processes take it when they start.</summary>
    /// <exception cref="InvalidSettingsException">There is no such log.</exception>
    public static Task AddLogKeysAsync(
        IServiceProvider services, string? log, TextWriter output, CancellationToken cancel) =>
        services.GetRequiredService<RotateLogKeys>().AddAsync(log, output, cancel);

    /// <summary>Ends the old keys of a log, or of all, for good.</summary>
    /// <returns>False when some have to stay, because the newest key has signed nothing yet.</returns>
    /// <exception cref="InvalidSettingsException">There is no such log.</exception>
    public static Task<bool> RetireLogKeysAsync(
        IServiceProvider services, string? log, TextWriter output, CancellationToken cancel) =>
        services.GetRequiredService<RotateLogKeys>().RetireAsync(log, output, cancel);

    /// <summary>Registers what <see cref="VerifyAsync"/> needs: the archive's store and nothing else.</summary>
    public static void AddVerification(this IHostApplicationBuilder host)
    {
        host.Services.AddSingleton(TimeProvider.System);
        // No role's archive is asked for: whoever verifies may have a copy anywhere.
        host.AddArchive(Role.All);
    }

    /// <summary>
    /// Verifies an archive, the public logs of a site, or one receipt. Needs no database and no running platform.
    /// </summary>
    /// <param name="services">With what <see cref="AddVerification"/> registers.</param>
    /// <param name="request">What, and with which keys.</param>
    /// <param name="output">Takes the report.</param>
    /// <param name="errors">Takes everything else.</param>
    /// <param name="isTerminal">Whether a person looks at <paramref name="errors"/>: then progress is shown.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>0 when everything is as it must be; 1 when something is not, and the report names it.</returns>
    /// <exception cref="InvalidSettingsException">The request makes no sense; one line says why.</exception>
    /// <exception cref="IOException">What was to be verified did not answer; one line says what.</exception>
    public static Task<int> VerifyAsync(
        IServiceProvider services, VerificationRequest request, TextWriter output, TextWriter errors, bool isTerminal,
        CancellationToken cancel) =>
        new Verification(services, request, services.GetRequiredService<TimeProvider>())
            .RunAsync(output, errors, isTerminal, cancel);

    /// <summary>Maps the endpoints of the roles.</summary>
    public static void MapAudit(this IEndpointRouteBuilder endpoints, Role roles) => endpoints.MapReading(roles);
}
