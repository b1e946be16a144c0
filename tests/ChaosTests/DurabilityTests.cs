using System.Text.RegularExpressions;

namespace ChaosTests;

/// <summary>
/// The server of these tests, and the one that <c>./voting up</c> starts (see <see cref="PostgresCrashTests"/>), keep
/// what they have confirmed; and nothing of ours tells them not to.
/// </summary>
[Collection(RacesSite.Name)]
public sealed class DurabilityTests(Site site)
{
    private static readonly string[] Settings = ["fsync", "synchronous_commit", "full_page_writes"];

    [Fact]
    public Task What_is_acknowledged_is_on_disk() => AssertKeepsWhatItConfirmsAsync(site);

    /// <summary>By the server, by every role that our processes take, and by every session of them.</summary>
    internal static async Task AssertKeepsWhatItConfirmsAsync(Site site)
    {
        foreach (var name in Settings)
        {
            Assert.Equal("on", await site.ReadAsync<string>($"SHOW {name}"));
            Assert.Equal(0, await site.ReadAsync<long>($"""
                SELECT count(*) FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setting LIKE '{name}=%'
                    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                """));
        }

        // A session's own setting is seen in that session alone; so nothing of ours may set one, but for the notices
        // that go out beside the log and store nothing.
        var sources = Directory.GetFiles(
            Path.Combine(Testing.Repository.Root, "src"), "*.*", SearchOption.AllDirectories)
            .Where(file => Path.GetExtension(file) is ".cs" or ".sql");
        var setting = new Regex(
            $@"(\bSET\s+(LOCAL\s+|SESSION\s+)?|-c\s*)({string.Join('|', Settings)})\b",
            RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));
        Assert.Equal(["LogNotifier.cs"], sources
            .Where(file => setting.IsMatch(File.ReadAllText(file))).Select(Path.GetFileName));
        var roles = await site.ReadAsync<string[]>(
            "SELECT array_agg(rolname::text) FROM pg_roles WHERE rolname LIKE 'voting\\_module\\_%'");
        Assert.NotEmpty(roles);
        foreach (var role in roles)
        {
            await using var connection = await site.Database.OpenConnectionAsync();
            await using var take = new Npgsql.NpgsqlCommand($"SET ROLE {role}", connection);
            await take.ExecuteNonQueryAsync();
            await using var show = new Npgsql.NpgsqlCommand("SHOW synchronous_commit", connection);
            Assert.Equal("on", await show.ExecuteScalarAsync());
            await using var back = new Npgsql.NpgsqlCommand("RESET ROLE", connection);
            await back.ExecuteNonQueryAsync();
        }
    }
}
