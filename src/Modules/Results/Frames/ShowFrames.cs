using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Results;

/// <summary>Shows what is new in every survey that somebody looks at, a few times a second.</summary>
internal sealed partial class ShowFrames(
    Boards boards, IOptions<ResultsOptions> options, TimeProvider clock, IHostApplicationLifetime lifetime,
    ILogger<ShowFrames> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Streams must not wait for the server's turn to stop: it in turn waits for them.
        using var stopping = lifetime.ApplicationStopping.Register(boards.EndAll);
        while (true)
        {
            // Not a timer's beat: after a late round the next one must not follow at once, or a second holds too many.
            await Task.Delay(options.Value.FrameInterval, clock, stoppingToken);
            foreach (var survey in await boards.TurnAsync(stoppingToken)) FinalIsBehind(logger, survey);
        }
    }

    [LoggerMessage(LogLevel.Error, "The signed result of survey {Survey} is older than the tally that was shown last")]
    private static partial void FinalIsBehind(ILogger logger, int survey);
}
