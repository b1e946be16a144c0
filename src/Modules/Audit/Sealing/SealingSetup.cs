using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Platform;

namespace Audit;

/// <summary>Registers sealing, and what reads what was sealed.</summary>
internal static class SealingSetup
{
    /// <summary>Settings always; keys of logs and loops in role <see cref="Role.Audit"/> only.</summary>
    public static void AddSealing(this IHostApplicationBuilder host, Role roles)
    {
        var services = host.Services;
        var partitions = host.Configuration.GetValue("Log:VotePartitions", new LogOptions().VotePartitions);
        services.AddSettings<AuditOptions>("Audit");
        services.AddMeter(SealMetrics.MeterName);
        services.AddSingleton<AuditDatabase>();
        services.AddSingleton(provider => new SealedLogs(Options(provider).Origin, partitions));
        services.AddSingleton<HeadTable>();
        services.AddSingleton<TileTable>();
        if (!roles.HasFlag(Role.Audit)) return;
        // Whatever cannot sign cannot be made to.
        foreach (var log in new SealedLogs("", partitions).All)
            services.AddKeyPurpose(log.KeyPurpose, KeyAlgorithm.Ed25519);
        services.AddSingleton<LogSigners>(provider => log =>
            [.. provider.GetRequiredService<KeyRing>().All(log.KeyPurpose)
                .Select(key => NoteSigner.ForLog(log.Origin, key))]);
        services.AddSingleton<LogVerifiers>(provider => (log, checkpoint) =>
        [
            .. provider.GetRequiredService<LogSigners>()(log).Select(signer => signer.Verifier),
            .. provider.GetRequiredService<KeyRing>().Retired(log.KeyPurpose).Where(key => checkpoint <= key.Last)
                .Select(key => VerifierKey.OfInfo(NoteKeyType.Log, log.Origin, key.PublicKey)),
        ]);
        services.AddSingleton<RotateLogKeys>();
        services.AddSingleton(provider =>
            new SealTurns(Options(provider), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<SealMetrics>();
        services.AddSingleton<Sealing>();
        services.AddHostedService<SealVotes>();
        services.AddHostedService<SealEvents>();
        services.AddHostedService<ReportArchiveLag>();
    }

    private static AuditOptions Options(IServiceProvider services) =>
        services.GetRequiredService<IOptions<AuditOptions>>().Value;
}
