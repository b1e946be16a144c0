using System.CommandLine;

namespace Bench;

/// <summary>
/// How the benchmark is called. Misuse, or a machine on which it cannot begin, is one line and exit code 2.
/// </summary>
internal static class CommandLine
{
    private const int BrokenOff = 1;
    private const int Misused = 2;
    private const int Interrupted = 130;

    // After Ctrl-C everything that was started is ended and every database dropped; then the process ends.
    private static readonly InvocationConfiguration Ended = new()
    {
        EnableDefaultExceptionHandler = false,
        ProcessTerminationTimeout = TimeSpan.FromSeconds(30),
    };

    /// <returns>0 when all was measured, whether or not targets are met; 1 if it broke off; 2 for misuse.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            var parsed = Root().Parse(args);
            foreach (var error in parsed.Errors) throw new MisuseException(error.Message);
            return await parsed.InvokeAsync(Ended);
        }
        catch (MisuseException e)
        {
            await Console.Error.WriteLineAsync($"bench: {e.Message.ReplaceLineEndings(" ")}");
            return Misused;
        }
        catch (BrokenOffException e)
        {
            await Console.Error.WriteLineAsync($"bench: {e.Message}");
            return BrokenOff;
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
    }

    private static RootCommand Root()
    {
        var json = new Option<bool>("--json") { Description = "One JSON document on standard output, and no table." };
        var only = new Option<string?>("--only")
        {
            Description = $"One row alone: {string.Join(", ", Measuring.Names)}.",
        };
        var quick = new Option<bool>("--quick")
        {
            Description = "Small and once, to see that it works: the figures mean nothing.",
        };
        var root = new RootCommand("Measures the platform's fast paths, and beside each the floor of this machine.")
        {
            json, only, quick,
        };
        root.SetAction(async (parsed, cancel) =>
        {
            var name = parsed.GetValue(only);
            if (name is not null && !Measuring.Names.Contains(name))
                throw new MisuseException($"There is no row {name}: {string.Join(", ", Measuring.Names)}.");
            var outcome = await Measuring.RunAsync(name, new(parsed.GetValue(quick)), Report.Progress, cancel);
            if (parsed.GetValue(json)) Report.Json(outcome);
            else Report.Table(outcome);
            return 0;
        });
        return root;
    }
}

/// <summary>The benchmark was called in a way, or on a machine, in which it cannot begin.</summary>
internal sealed class MisuseException(string message) : Exception(message);

/// <summary>The benchmark began and cannot be brought to its end.</summary>
internal sealed class BrokenOffException(string message, Exception? inner = null) : Exception(message, inner);
