using System.Text;
using Testing;

namespace AuditTests;

/// <summary>Records of the outcomes that others than who counts have written, and those that come early.</summary>
public sealed class StrangeOutcomeTests(Postgres postgres)
{
    [Fact]
    public async Task Outcomes_that_nobody_who_counts_has_said_are_named_once_and_the_votes_are_compared_all_the_same()
    {
        await using var site = await ReconcilingSite.OpenAsync(postgres);
        var votes = new Partition(0);
        votes.Count(votes.Submit(1, 101));
        votes.Count(votes.Submit(2, 101));
        votes.Outcomes.Add(votes.Outcomes[0]);
        await site.SealAsync(votes);
        await site.FollowAsync();
        await site.PassAsync();
        // As after a restart: said again as it was.
        Assert.Equal("", await site.OpenAsync());

        votes.Say("repeated", 0);
        votes.Outcomes.Add("garbage"u8.ToArray());
        votes.Submit(3, 102);
        votes.Outcomes.Add(Edited(votes.Outcomes[1], "\"offset\":1,", "\"offset\":2000,"));
        // Of a vote that is there, and not the one.
        votes.Outcomes.Add(Edited(Edited(votes.Outcomes[1], "\"offset\":1,", "\"offset\":2,"), "counted", "held"));
        votes.Outcomes.Add(Edited(votes.Outcomes[1], "\"partition\":0,", "\"partition\":1,"));
        votes.Count(2);
        await site.SealAsync(votes);
        await site.FollowAsync();
        Assert.Equal(
            "outcome-unknown votes-00 4; outcome-unknown votes-00 7; outcome-unknown votes-00 7 3; "
            + "outcome-unknown votes-00 7 5; outcome-unknown votes-00 7 6",
            await SortedAsync(site));
        Assert.Equal((3L, 9L), await site.PlaceAsync());

        await site.FollowAsync();
        await site.PassAsync();
        await site.PassAsync();
        Assert.Equal(
            string.Join("; ", Enumerable.Repeat("audit.difference-found", 5)),
            await site.ToldAsync());
        // Closed by somebody who has looked into it: nothing opens it again.
        await site.Sealing.ExecuteAsync("UPDATE audit.differences SET resolved_at = now()");
        await site.PassAsync();
        Assert.Equal("", await site.OpenAsync());
    }

    [Fact]
    public async Task An_outcome_that_is_archived_before_its_vote_waits_for_it()
    {
        await using var site = await ReconcilingSite.OpenAsync(postgres);
        var all = new Partition(0);
        for (var voter = 0; voter < 3; voter++) all.Count(all.Submit(voter, 101));
        var early = new Partition(0);
        early.Votes.Add(all.Votes[0]);
        early.Outcomes.AddRange(all.Outcomes);
        early.Tally[(7, 0)] = early.Tally[(7, 101)] = 1;
        await site.SealAsync(early);
        // Whatever is told of was counted.
        site.NextOffsets[0] = 3;
        await site.FollowAsync();
        Assert.Equal(("", (1L, 1L)), (await site.OpenAsync(), await site.PlaceAsync()));
        site.NextOffsets[0] = 1;
        early.Votes.AddRange(all.Votes[1..]);
        early.Tally[(7, 0)] = early.Tally[(7, 101)] = 3;
        await site.SealAsync(early);
        await site.FollowAsync();
        Assert.Equal(("", (3L, 3L)), (await site.OpenAsync(), await site.PlaceAsync()));
    }

    private static async Task<string> SortedAsync(ReconcilingSite site) =>
        string.Join("; ", (await site.OpenAsync()).Split("; ").Order(StringComparer.Ordinal));

    private static byte[] Edited(byte[] @event, string from, string to)
    {
        var text = Encoding.UTF8.GetString(@event);
        Assert.Contains(from, text, StringComparison.Ordinal);
        return Encoding.UTF8.GetBytes(text.Replace(from, to, StringComparison.Ordinal));
    }
}
