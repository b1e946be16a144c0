using System.Diagnostics;
using Npgsql;
using Testing;

namespace ToolTests;

/// <summary>The script <c>scripts/postgres</c>.</summary>
public sealed class PrivatePostgresTests
{
    private static readonly string Script = Path.Combine(Repository.Root, "scripts", "postgres");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_keeps_what_it_holds_until_it_is_wiped()
    {
        var directory = Directory.CreateTempSubdirectory("voting-script-").FullName;
        try
        {
            var first = await RunAsync("start", directory);
            Assert.Equal(first, await RunAsync("start", directory));
            await ExecuteAsync(first.Output, "CREATE TABLE kept ()");

            Assert.Equal(0, (await RunAsync("stop", directory)).ExitCode);
            Assert.Equal(3, (await RunAsync("status", directory)).ExitCode);
            Assert.Equal(0, (await RunAsync("stop", directory)).ExitCode);

            Assert.Equal(first, await RunAsync("start", directory));
            await ExecuteAsync(first.Output, "SELECT FROM kept");
            Assert.Equal("127.0.0.1", await ExecuteAsync(first.Output, "SHOW listen_addresses"));
            Assert.Equal("", await ExecuteAsync(first.Output, "SHOW unix_socket_directories"));
        }
        finally
        {
            await RunAsync("wipe", directory);
        }

        Assert.False(Directory.Exists(directory));
        Assert.Equal(3, (await RunAsync("status", directory)).ExitCode);
    }

    [Fact]
    public async Task A_temporary_server_goes_with_the_process_that_it_was_started_for()
    {
        var directory = Directory.CreateTempSubdirectory("voting-script-").FullName;
        using var owner = Process.Start("sleep", "300");
        try
        {
            await RunAsync("start", directory, "--for", owner.Id.ToString());
            Assert.Equal(0, (await RunAsync("status", directory)).ExitCode);
        }
        finally
        {
            owner.Kill();
            await owner.WaitForExitAsync(Cancel);
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        while (Directory.Exists(directory)) await Task.Delay(50, deadline.Token);
        Assert.Equal(3, (await RunAsync("status", directory)).ExitCode);
    }

    [Fact]
    public async Task A_password_is_asked_for()
    {
        var directory = Directory.CreateTempSubdirectory("voting-script-").FullName;
        try
        {
            var connection = new NpgsqlConnectionStringBuilder((await RunAsync("start", directory)).Output)
            {
                Password = "guessed",
            };
            var refused = await Assert.ThrowsAsync<PostgresException>(
                () => ExecuteAsync(connection.ConnectionString, "SELECT 1"));
            Assert.Equal(PostgresErrorCodes.InvalidPassword, refused.SqlState);
        }
        finally
        {
            await RunAsync("wipe", directory);
        }
    }

    private static async Task<object?> ExecuteAsync(string connectionString, string sql)
    {
        var unpooled = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false };
        await using var connection = new NpgsqlConnection(unpooled.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Cancel);
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("bash", [Script, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };
        using var script = Process.Start(start)!;
        var output = await script.StandardOutput.ReadToEndAsync(CancellationToken.None);
        await script.WaitForExitAsync(CancellationToken.None);
        return (script.ExitCode, output.Trim());
    }
}
