namespace Bench;

/// <summary>
/// One call: makes what the rows need, measures them one after the other, takes everything away again.
/// </summary>
internal static class Measuring
{
    public static readonly string[] Names =
        [CastingRow.Name, CountingRow.Name];

    /// <param name="only">One of <see cref="Names"/>, or null for all.</param>
    /// <param name="sizes">How much.</param>
    /// <param name="progress">Told what is done now.</param>
    /// <param name="cancel">Ends it; everything is taken away all the same.</param>
    public static async Task<Outcome> RunAsync(
        string? only, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        await using var postgres = await Postgres.ConnectAsync(cancel);
        var rows = new List<Row>();
        if (Wants(CastingRow.Name))
        {
            progress("Starting a platform and signing voters in ...");
            await using var site = await Site.StartAsync(postgres, cancel);
            var api = await site.StartHostAsync("api,backoffice", cancel);
            var voters = await site.NewVotersAsync(sizes.Voters, api, cancel);
            rows.Add(await CastingRow.MeasureAsync(site, api, voters, sizes, progress, cancel));
        }

        if (Wants(CountingRow.Name))
        {
            await using var site = await Site.StartAsync(postgres, cancel);
            rows.Add(await CountingRow.MeasureAsync(site, sizes, progress, cancel));
        }

        return new(
            TimeProvider.System.GetUtcNow(), sizes.Quick, await MachineFacts.ReadAsync(postgres, cancel), rows);

        bool Wants(string name) => only is null || only == name;
    }
}
