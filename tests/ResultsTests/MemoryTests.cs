namespace ResultsTests;

/// <summary>Alone, for what is measured is the whole process.</summary>
[CollectionDefinition("Memory", DisableParallelization = true)]
public sealed class MemoryTestsRunAlone;

[Collection("Memory")]
public sealed class MemoryTests
{
    [Fact]
    public async Task A_frame_costs_a_connection_next_to_nothing_in_memory()
    {
        const int Readers = 100, Turns = 100;
        await using var site = await Site.StartAsync();
        site.Surveys[1] = Samples.Survey();
        var readers = new List<EventStream>();
        for (var i = 0; i < Readers; i++) readers.Add(await EventStream.AskAsync(site));
        await Site.UntilAsync(() => site.Count("results.frames.written") == Readers);

        var bytes = GC.GetTotalAllocatedBytes(precise: true);
        for (var i = 1; i <= Turns; i++)
        {
            site.Boards.Merge(Samples.Tally(version: i, votes: i));
            await site.TurnAsync();
            await Site.UntilAsync(() => site.Count("results.frames.written") == Readers * (i + 1));
        }

        bytes = GC.GetTotalAllocatedBytes(precise: true) - bytes;
        // The frame itself, and the test, in equal parts.
        Assert.InRange(bytes / (Readers * Turns), 0, 100);
        readers.ForEach(reader => reader.Dispose());
    }
}
