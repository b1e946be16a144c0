namespace Bench;

/// <summary>
/// One call: makes what the rows need, measures them one after the other, takes everything away again.
/// </summary>
internal static class Measuring
{
    public static readonly string[] Names =
    [
        CastingRow.Name, CountingRow.Name, WholeCountingRow.Name, StreamsRow.Name, FreshnessRow.Name, GrowthRow.Name,
        ArchivingRow.Name, RequestsRow.Name, VerifyingRow.Name, ProvingRow.Name,
    ];

    /// <param name="only">One of <see cref="Names"/>, or null for all.</param>
    /// <param name="sizes">How much.</param>
    /// <param name="progress">Told what is done now.</param>
    /// <param name="cancel">Ends it; everything is taken away all the same.</param>
    public static async Task<Outcome> RunAsync(
        string? only, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        await using var postgres = await Postgres.ConnectAsync(cancel);
        var rows = new List<Row>();
        if (Wants(CastingRow.Name) || Wants(FreshnessRow.Name))
        {
            progress("Starting a platform and signing voters in ...");
            await using var site = await Site.StartAsync(postgres, cancel);
            rows.AddRange((await VoteAsync(site)).Where(row => Wants(row.Name)));
        }

        await AddAsync(CountingRow.Name, CountingRow.MeasureAsync);
        await AddAsync(WholeCountingRow.Name, WholeCountingRow.MeasureAsync);
        await AddAsync(StreamsRow.Name, StreamsRow.MeasureAsync);
        if (Wants(GrowthRow.Name))
        {
            await using var small = await Site.StartAsync(postgres, cancel);
            await using var large = await Site.StartAsync(postgres, cancel);
            rows.Add(await GrowthRow.MeasureAsync(small, large, sizes, progress, cancel));
        }

        await AddAsync(ArchivingRow.Name, ArchivingRow.MeasureAsync);
        await AddAsync(RequestsRow.Name, RequestsRow.MeasureAsync);
        await AddAsync(VerifyingRow.Name, VerifyingRow.MeasureAsync);
        await AddAsync(ProvingRow.Name, ProvingRow.MeasureAsync);
        return new(
            TimeProvider.System.GetUtcNow(), sizes.Quick, await MachineFacts.ReadAsync(postgres, cancel),
            [.. rows.OrderBy(row => Array.IndexOf(Names, row.Name))]);

        bool Wants(string name) => only is null || only == name;

        async Task AddAsync(string name, Func<Site, Sizes, Action<string>, CancellationToken, Task<Row>> measure)
        {
            if (!Wants(name)) return;
            await using var site = await Site.StartAsync(postgres, cancel);
            rows.Add(await measure(site, sizes, progress, cancel));
        }

        async Task<List<Row>> VoteAsync(Site site)
        {
            var api = await site.StartHostAsync("api,backoffice", cancel);
            var voters = await site.NewVotersAsync(sizes.Voters, api, cancel);
            // Half of what casting takes has to be known, whether or not it is asked for.
            var casting = Wants(CastingRow.Name) ? sizes : sizes with { Runs = 1 };
            var row = await CastingRow.MeasureAsync(site, api, voters, casting, progress, cancel);
            var measured = new List<Row> { row };
            if (!Wants(FreshnessRow.Name)) return measured;

            var throughput = row.Measures.Single(measure => measure.Name == CastingRow.Throughput).Us;
            measured.Add(await FreshnessRow.MeasureAsync(
                site, api, voters, throughput / 2, sizes, progress, cancel));
            return measured;
        }
    }
}
