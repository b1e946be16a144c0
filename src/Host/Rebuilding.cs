using Platform;
using Voting;

namespace Host;

internal static class Rebuilding
{
    /// <returns>0, or 1 when a signed result is not what the rows give.</returns>
    public static Task<int> RunAsync(int? survey, SettingsSources sources, CancellationToken cancel) =>
        OperatorVerb.RunAsync(sources, async (services, stop) =>
        {
            var isRight = await VotingModule.RebuildResultsAsync(services, survey, Console.Out, stop)
                ?? throw new InvalidSettingsException($"There is no survey {survey}, or only a draft.");
            return isRight ? 0 : 1;
        }, cancel);
}
