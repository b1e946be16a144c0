using Microsoft.Extensions.Options;
using Platform;

namespace Host;

internal static class Migrating
{
    public static async Task<int> RunAsync(SettingsSources sources, CancellationToken cancel)
    {
        // The verb needs no role's loops, but checks what every role would check.
        await using var app = Composition.Build(Role.All, sources);
        var migrator = new Migrator(
            app.Services.GetRequiredService<ShardMap>(),
            app.Services.GetRequiredService<IOptions<DatabaseOptions>>().Value.ConnectionString,
            Composition.Migrations);
        var applied = await migrator.MigrateAsync(cancel);
        await app.Services.GetRequiredService<KeyRing>().EnsureAsync(cancel);
        var admin = app.Services.GetRequiredService<ILogAdmin>();
        // A cluster may belong to others: what is created there is asked for by a verb of its own.
        var isOurs = admin is PostgresLog;
        if (isOurs) await admin.EnsureTopicsAsync(cancel);
        await Console.Out.WriteLineAsync($"Applied {applied} migrations; "
            + (isOurs ? "keys and topics are in place." : "keys are in place. Topics are made by: admin log init"));
        return 0;
    }
}
