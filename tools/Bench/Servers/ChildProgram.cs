using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Bench;

/// <summary>A program that runs beside the benchmark. Disposing kills it.</summary>
internal sealed class ChildProgram : IAsyncDisposable
{
    private const int LinesKept = 30;

    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(90);

    private readonly Process _process;
    private readonly string _name;
    private readonly ConcurrentQueue<string> _last = new();
    private readonly Channel<string> _output = Channel.CreateBounded<string>(
        new BoundedChannelOptions(1_000) { FullMode = BoundedChannelFullMode.DropOldest });

    private ChildProgram(string name, ProcessStartInfo start)
    {
        _name = name;
        _process = new() { StartInfo = start };
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
    }

    /// <summary>The process id.</summary>
    public int Id { get; }

    /// <summary>CPU of the process so far, in microseconds.</summary>
    public double CpuMicroseconds() => Processes.CpuMicroseconds(Id);

    /// <param name="program">Its path.</param>
    /// <param name="arguments">The command line.</param>
    /// <param name="environment">On top of this process's own.</param>
    public static ChildProgram Start(
        string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            // Programs of our own end when it is closed, so they never outlive this process.
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in environment) start.Environment[key] = value;
        start.Environment.TryAdd("DOTNET_ROOT", Path.GetFullPath(
            Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")));
        return new($"{Path.GetFileName(program)} {string.Join(' ', arguments)}", start);
    }

    /// <summary>This program itself, in another part.</summary>
    public static ChildProgram StartSelf(params string[] arguments) =>
        Start(Environment.ProcessPath!, arguments, new Dictionary<string, string>());

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Its standard output.</returns>
    public static async Task<string> RunAsync(
        string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment,
        CancellationToken cancel)
    {
        await using var child = Start(program, arguments, environment);
        var lines = new List<string>();
        await foreach (var line in child._output.Reader.ReadAllAsync(cancel)) lines.Add(line);
        await child._process.WaitForExitAsync(cancel);
        return child._process.ExitCode == 0
            ? string.Join('\n', lines)
            : throw child.Failed($"ended with exit code {child._process.ExitCode}");
    }

    /// <summary>Tells one of our own programs something.</summary>
    public async Task SayAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Waits for the first line of standard output that says something.</summary>
    /// <param name="read">Null for lines that say nothing.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async Task<T> HearAsync<T>(Func<string, T?> read, CancellationToken cancel)
        where T : class
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(StartTimeout);
        try
        {
            await foreach (var line in _output.Reader.ReadAllAsync(deadline.Token))
            {
                if (read(line) is { } heard) return heard;
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw Failed($"says nothing for {StartTimeout.TotalSeconds} s");
        }

        throw Failed("ended too early");
    }

    /// <returns>What went wrong, with the program's last words.</returns>
    public BrokenOffException Failed(string how) => new($"{_name} {how}:\n{string.Join('\n', _last)}");

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (!_process.HasExited) _process.Kill();
            await _process.WaitForExitAsync();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself meanwhile.
        }

        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null) return;
        _last.Enqueue(line);
        while (_last.Count > LinesKept) _last.TryDequeue(out _);
    }
}
