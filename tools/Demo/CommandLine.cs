using System.CommandLine;

namespace Demo;

/// <summary>How the demo is called. Misuse, or a platform that does not run, is one line and exit code 2.</summary>
internal static class CommandLine
{
    private const int Disagrees = 1;
    private const int Misused = 2;
    private const int Interrupted = 130;
    private const int VoterCountMax = 100_000;
    private const double RateMax = 100_000;

    /// <returns>0 if every number agrees, 1 if any does not or the election broke off, 2 for misuse.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            var parsed = Root().Parse(args);
            foreach (var error in parsed.Errors) throw new MisuseException(error.Message);
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (MisuseException e)
        {
            await Console.Error.WriteLineAsync($"demo: {e.Message.ReplaceLineEndings(" ")}");
            return Misused;
        }
        catch (BrokenOffException e)
        {
            await Console.Error.WriteLineAsync($"demo: {e.Message.ReplaceLineEndings(" ")}");
            return Disagrees;
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
    }

    private static RootCommand Root()
    {
        var survey = new Option<FileInfo?>("--survey")
        {
            Description = "A JSON file of the shape of POST /v1/internal/surveys. Default: the sample survey.",
        };
        var voters = new Option<int>("--voters")
        {
            Description = $"How many voters, 1 to {VoterCountMax}.",
            DefaultValueFactory = _ => 500,
        };
        var rate = new Option<double>("--rate")
        {
            Description = "How many voters begin to vote each second; 0: as many as the platform takes.",
            DefaultValueFactory = _ => 200,
        };
        var recount = new Option<string?>("--recount")
        {
            Description = "Holds no election: recounts the rows of this finished survey against its result.",
        };
        var json = new Option<bool>("--json")
        {
            Description = "The report as one JSON object on the last line of standard output.",
        };
        var root = new RootCommand(
            "Holds a whole election against the running platform, and checks that every number agrees.")
        {
            survey, voters, rate, recount, json,
        };
        root.SetAction((parsed, cancel) =>
        {
            var show = new Report(parsed.GetValue(json));
            var target = Target.OfEnvironment();
            if (parsed.GetValue(recount) is { } id)
            {
                Option[] ofElections = [survey, voters, rate];
                if (ofElections.Any(option => parsed.GetResult(option) is { Implicit: false }))
                    throw new MisuseException("--recount holds no election: it goes with --json alone.");
                return RecountSurvey.RunAsync(id, target, show, cancel);
            }

            var (count, pace) = (parsed.GetValue(voters), parsed.GetValue(rate));
            if (count is < 1 or > VoterCountMax) throw new MisuseException($"--voters is 1 to {VoterCountMax}.");
            if (pace is not (>= 0 and <= RateMax)) throw new MisuseException($"--rate is 0 to {RateMax}.");
            return HoldElection.RunAsync(SurveyFile.Read(parsed.GetValue(survey)), count, pace, target, show, cancel);
        });
        return root;
    }
}

/// <summary>The demo was called in a way, or in a place, in which it cannot begin.</summary>
internal sealed class MisuseException(string message) : Exception(message);

/// <summary>The election began and cannot be brought to its end.</summary>
internal sealed class BrokenOffException(string message) : Exception(message);
