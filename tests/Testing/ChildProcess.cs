using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;

namespace Testing;

/// <summary>A program that a test runs: what it says is kept, and it is ended by its process id only.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private const int LinesShown = 40;
    private const int LinesKeptMax = 5_000;

    private readonly Process _process;
    private readonly string _name;
    private bool _disposed;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly Channel<string> _output = Channel.CreateBounded<string>(
        new BoundedChannelOptions(1_000) { FullMode = BoundedChannelFullMode.DropOldest });

    private ChildProcess(string name, ProcessStartInfo start)
    {
        _name = name;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null) _output.Writer.TryComplete();
            else _output.Writer.TryWrite(line.Data);
            Keep(line.Data);
        };
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        Id = _process.Id;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        AppDomain.CurrentDomain.ProcessExit += KillAtExit;
    }

    /// <summary>The process id.</summary>
    public int Id { get; }

    /// <summary>True once it has ended, whyever.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>The last lines of both outputs, for a report of a failure.</summary>
    public string LastOutput => string.Join('\n', _lines.TakeLast(LinesShown));

    /// <summary>Everything that is still kept of both outputs, oldest first.</summary>
    public IReadOnlyList<string> Lines => [.. _lines];

    /// <summary>Starts a program with settings on top of this process's environment.</summary>
    public static ChildProcess Start(
        string name, string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var (key, value) in environment) start.Environment[key] = value;
        start.Environment.TryAdd("DOTNET_ROOT", Programs.DotnetRoot);
        return new(name, start);
    }

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Its standard output.</returns>
    /// <exception cref="ProcessFailedException">It ended with another exit code than 0.</exception>
    public static async Task<string> RunAsync(
        string name, string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment,
        CancellationToken cancel)
    {
        await using var child = Start(name, program, arguments, environment);
        var output = new List<string>();
        await foreach (var line in child._output.Reader.ReadAllAsync(cancel)) output.Add(line);
        var exitCode = await child.WaitForExitAsync(cancel);
        if (exitCode != 0) throw child.Failed($"ended with exit code {exitCode}");
        return string.Join('\n', output);
    }

    /// <summary>Waits for a line of standard output that says what <paramref name="read"/> looks for.</summary>
    /// <exception cref="ProcessFailedException">It ended first, or did not say so in time.</exception>
    public async Task<T> WaitForLineAsync<T>(Func<string, T?> read, TimeSpan timeout, CancellationToken cancel)
        where T : class
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(timeout);
        try
        {
            await foreach (var line in _output.Reader.ReadAllAsync(deadline.Token))
            {
                if (read(line) is { } found) return found;
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw Failed($"did not say that it listens within {timeout.TotalSeconds:0} s");
        }

        await WaitForExitAsync(cancel);
        throw Failed($"ended with exit code {_process.ExitCode} before it listened");
    }

    /// <summary>Says a line to it, on its standard input.</summary>
    public async Task SayAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Waits until it has ended.</summary>
    /// <returns>Its exit code; 128 + the signal's number if a signal ended it.</returns>
    public async Task<int> WaitForExitAsync(CancellationToken cancel)
    {
        await _process.WaitForExitAsync(cancel);
        return _process.ExitCode;
    }

    public void Send(Signal signal)
    {
        if (_process.HasExited) throw Failed($"has ended already with exit code {_process.ExitCode}");
        Signals.Send(Id, signal);
    }

    public ProcessFailedException Failed(string what) =>
        new($"{_name} (process {Id}) {what}. Its last output:\n{LastOutput}");

    /// <summary>Kills it if it still runs. A repeat changes nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        AppDomain.CurrentDomain.ProcessExit -= KillAtExit;
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void KillAtExit(object? sender, EventArgs e) => _process.Kill();

    private void Keep(string? line)
    {
        if (line is null) return;
        _lines.Enqueue(line);
        if (_lines.Count > LinesKeptMax) _lines.TryDequeue(out _);
    }
}

/// <summary>A process of the tests did not do what it was started for. The message holds its last output.</summary>
public sealed class ProcessFailedException(string message) : Exception(message);
