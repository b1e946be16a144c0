using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Testing;

/// <summary>A private Redis that a test may kill, pause and empty: nothing is kept when it ends.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30);

    private readonly string _program;
    private ChildProcess _process;

    private RedisServer(string program, int port, ChildProcess process) =>
        (_program, Port, _process) = (program, port, process);

    /// <summary>The port on 127.0.0.1; the same after a restart.</summary>
    public int Port { get; }

    /// <summary>As StackExchange.Redis reads it.</summary>
    public string ConnectionString => $"127.0.0.1:{Port}";

    /// <summary>
    /// A server for tests that keep to keys of their own: the one that <c>VOTING_TEST_REDIS</c> names, else one that
    /// all tests of this process share.
    /// </summary>
    public static Task<string> SharedAsync() => Shared.Value;

    private static readonly Lazy<Task<string>> Shared = new(async () =>
        Environment.GetEnvironmentVariable("VOTING_TEST_REDIS") is { Length: > 0 } named
            // It ends with this process, however that ends; nobody needs to dispose of it.
            ? named : (await StartAsync(CancellationToken.None)).ConnectionString);

    /// <summary>Starts one on a free port.</summary>
    /// <exception cref="InvalidOperationException">The program is missing and cannot be installed.</exception>
    public static async Task<RedisServer> StartAsync(CancellationToken cancel)
    {
        var program = await ProgramAsync(cancel);
        for (var attempt = 0; ; attempt++)
        {
            var port = FreePort();
            try
            {
                return new(program, port, await LaunchAsync(program, port, cancel));
            }
            catch (ProcessFailedException) when (attempt < 4)
            {
                // Somebody else was quicker at that port.
            }
        }
    }

    /// <summary>Ends it at once: SIGKILL. What it held is gone.</summary>
    public async Task KillAsync()
    {
        _process.Send(Signal.Kill);
        await _process.WaitForExitAsync(CancellationToken.None);
    }

    /// <summary>Starts it again, empty, on the same port.</summary>
    public async Task RestartAsync(CancellationToken cancel)
    {
        await _process.DisposeAsync();
        _process = await LaunchAsync(_program, Port, cancel);
    }

    /// <summary>Holds it where it is, its connections open: SIGSTOP.</summary>
    public void Pause() => _process.Send(Signal.Stop);

    /// <summary>Lets it go on: SIGCONT.</summary>
    public void Resume() => _process.Send(Signal.Continue);

    /// <summary>Sends a command over a connection of its own.</summary>
    /// <returns>The first line of the answer, its sign included, such as <c>+OK</c> or <c>:5</c>.</returns>
    public async Task<string> CommandAsync(string command, CancellationToken cancel = default)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Port, cancel);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{command}\r\n"), cancel);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadLineAsync(cancel) ?? throw new IOException("Redis closed the connection.");
    }

    /// <summary>A field of <c>INFO</c>, such as <c>used_memory</c>.</summary>
    public async Task<string> InfoAsync(string field, CancellationToken cancel = default)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Port, cancel);
        await using var stream = client.GetStream();
        await stream.WriteAsync("INFO everything\r\nQUIT\r\n"u8.ToArray(), cancel);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        while (await reader.ReadLineAsync(cancel) is { } line)
        {
            if (line.StartsWith($"{field}:", StringComparison.Ordinal)) return line[(field.Length + 1)..];
        }

        throw new ArgumentException($"INFO says no {field}.", nameof(field));
    }

    /// <summary>Kills it if it still runs.</summary>
    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private static async Task<ChildProcess> LaunchAsync(string program, int port, CancellationToken cancel)
    {
        // The program tells what it is to be by the name it was called by. It writes no files.
        var directory = Directory.CreateTempSubdirectory("voting-redis-").FullName;
        var link = Path.Combine(directory, "redis-server");
        File.CreateSymbolicLink(link, program);
        var process = ChildProcess.Start("redis-server", link,
            [
                "--port", $"{port}", "--bind", "127.0.0.1", "--dir", directory, "--save", "", "--appendonly", "no",
                "--maxmemory-policy", "noeviction",
            ],
            new Dictionary<string, string>());
        try
        {
            await process.WaitForLineAsync(
                line => line.Contains("Ready to accept connections", StringComparison.Ordinal) ? line : null,
                StartTimeout, cancel);
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<string> ProgramAsync(CancellationToken cancel)
    {
        var start = new ProcessStartInfo("bash")
        {
            ArgumentList = { Path.Combine(Repository.Root, "scripts", "redis"), "program" },
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var script = Process.Start(start)!;
        var errors = script.StandardError.ReadToEndAsync(cancel);
        var output = await script.StandardOutput.ReadToEndAsync(cancel);
        await script.WaitForExitAsync(cancel);
        return script.ExitCode == 0
            ? output.Trim()
            : throw new InvalidOperationException($"No Redis for the tests: {await errors}");
    }
}
