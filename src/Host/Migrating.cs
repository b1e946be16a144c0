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
        await app.Services.GetRequiredService<PostgresLog>().EnsureTopicsAsync(cancel);
        await Console.Out.WriteLineAsync($"Applied {applied} migrations; keys and topics are in place.");
        return 0;
    }
}
