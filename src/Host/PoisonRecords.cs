using Platform;
using Voting;

namespace Host;

internal static class PoisonRecords
{
    public static async Task<int> ListAsync(SettingsSources sources, CancellationToken cancel)
    {
        await using var app = Composition.Build(Role.All, sources);
        await VotingModule.ListPoisonAsync(app.Services, Console.Out, cancel);
        return 0;
    }

    public static async Task<int> DismissAsync(
        int partition, long offset, SettingsSources sources, CancellationToken cancel)
    {
        await using var app = Composition.Build(Role.All, sources);
        if (!await VotingModule.DismissPoisonAsync(app.Services, partition, offset, cancel))
            throw new InvalidSettingsException($"No record was set aside at offset {offset} of partition {partition}.");
        await Console.Out.WriteLineAsync($"Offset {offset} of partition {partition} no longer holds up results.");
        return 0;
    }

    public static Task<int> ReplayAsync(
        int partition, long offset, SettingsSources sources, CancellationToken cancel) =>
        OperatorVerb.RunAsync(sources, async (services, stop) =>
        {
            var (isDone, says) = await VotingModule.ReplayPoisonAsync(services, partition, offset, stop);
            await (isDone ? Console.Out : Console.Error)
                .WriteLineAsync($"Offset {offset} of partition {partition}: {says}");
            return isDone ? 0 : 1;
        }, cancel);
}
