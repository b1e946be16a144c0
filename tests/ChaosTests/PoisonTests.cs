using System.Text;

namespace ChaosTests;

[Collection(CountingSite.Name)]
public sealed class PoisonTests(Site site)
{
    private const string NoMac = "the event carries no MAC of ours";
    private const string Unreadable = "the event cannot be decoded";
    private const string OtherType = "the event is of a type that is not known here";
    private const string OtherPartitionsVote = "the vote is another partition's";
    private const string OtherPartitionsFence = "the fence is another partition's";

    [Fact]
    public async Task What_nobody_submitted_is_set_aside_and_counts_nowhere()
    {
        var election = await site.PublishAsync();
        var key = await site.MacKeyAsync();
        var (genuine, text) = await GenuineAsync(election);
        var elsewhere = (genuine.Partition + 1) % 16;
        var unsealed = text[..text.LastIndexOf(",\"mac\"", StringComparison.Ordinal)] + "}";
        var forged = unsealed.Replace("\"voterKey\":\"", "\"voterKey\":\"AAAA", StringComparison.Ordinal);
        (byte[] Value, int Partition, string Reason)[] planted =
        [
            ([0x00, 0xff, 0xfe, 0x7b, 0x22], genuine.Partition, NoMac),
            ([], genuine.Partition, NoMac),
            (genuine.Value[..^30], genuine.Partition, NoMac),
            (genuine.Value[..(genuine.Value.Length / 2)], genuine.Partition, NoMac),
            (Encoding.UTF8.GetBytes(unsealed), genuine.Partition, NoMac),
            (Encoding.UTF8.GetBytes(forged), genuine.Partition, NoMac),
            (Mac.Seal(new byte[32], unsealed), genuine.Partition, NoMac),
            ([.. Encoding.UTF8.GetBytes(text[..^3]), (byte)(text[^3] ^ 1), .. "\"}"u8], genuine.Partition, NoMac),
            (Encoding.UTF8.GetBytes(text.Replace("1.0", "1.1", StringComparison.Ordinal)), genuine.Partition, NoMac),
            (Mac.Seal(key, "[1]"), genuine.Partition, Unreadable),
            (Mac.Seal(key, "{\"specversion\":\"1.0\"}"), genuine.Partition, Unreadable),
            (Mac.Seal(key, unsealed.Replace("\"answers\"", "\"replies\"", StringComparison.Ordinal)),
                genuine.Partition, Unreadable),
            (Mac.Seal(key, unsealed.Replace("vote.submitted", "vote.counted", StringComparison.Ordinal)),
                genuine.Partition, OtherType),
            (genuine.Value, elsewhere, OtherPartitionsVote),
            (Mac.Seal(key, Fence(election, elsewhere)), genuine.Partition, OtherPartitionsFence),
        ];

        var places = new Dictionary<(int, long), string>();
        foreach (var (value, partition, reason) in planted)
            places.Add((partition, await LogTables.AppendAsync(site.Database, partition, value)), reason);
        await site.CastAsync(election, 30);

        var ledger = await site.AssertKeptAsync(election);
        foreach (var (place, reason) in places)
        {
            Assert.True(ledger.Endings.TryGetValue(place, out var ending), $"What stands at {place} has no ending.");
            Assert.Equal(("poison", reason), (ending.Kind, ending.Reason));
        }

        Assert.Equal(31, ledger.Count(election, "counted"));
        Assert.Equal(31, (await election.ResultsAsync(site.First))?.GetProperty("totalResponses").GetInt64());
        await AssertItHoldsUpTheResultAsync(election, places.Count);
    }

    [Fact]
    public async Task A_genuine_vote_that_is_appended_again_is_repeated_whatever_came_beside_it()
    {
        var election = await site.PublishAsync();
        var (genuine, _) = await GenuineAsync(election);
        (string, byte[])[][] headers =
        [
            [], [("receipt", [])], [("receipt", [1, 2, 3])], [("idempotency", [1])], [("idempotency", new byte[5000])],
            [("idempotency", [])], [("another", [1]), ("receipt", new byte[9])],
        ];
        foreach (var set in headers) await LogTables.AppendAsync(site.Database, genuine.Partition, genuine.Value, set);
        await site.CastAsync(election, 10);

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(headers.Length, ledger.Count(election, "repeated"));
        Assert.Equal(11, ledger.Count(election, "counted"));
    }

    /// <summary>Poison before its fences keeps a survey from becoming final until somebody has looked at it.</summary>
    private async Task AssertItHoldsUpTheResultAsync(Election election, int poison)
    {
        await site.StaffAsync(HttpMethod.Put, $"/v1/internal/surveys/{election.Id}/finish", null);
        await Until.HoldsAsync("every partition is fenced off", async () =>
        {
            var fences = 0L;
            foreach (var schema in await Ledger.SchemasAsync(site.Database))
            {
                fences += await site.ReadAsync<long>(
                    $"SELECT count(*) FROM {schema}.fences WHERE survey = {election.Id}");
            }

            return fences == 16;
        });
        var says = $"survey {election.Id} waits for";
        await Until.HoldsAsync("the process says what holds the result up", () => Task.FromResult(
            site.Consumer.Lines.Any(line => line.Contains(says, StringComparison.Ordinal))));
        Assert.Equal("closing", await StatusAsync(election));

        var resolved = 0;
        foreach (var schema in await Ledger.SchemasAsync(site.Database))
        {
            resolved += await site.ExecuteAsync(
                $"UPDATE {schema}.poison SET resolved_at = now() WHERE resolved_at IS NULL");
        }

        Assert.Equal(poison, resolved);
        await Until.HoldsAsync("the result is final", async () => await StatusAsync(election) == "finished");
        await site.AssertKeptAsync(election);
    }

    private Task<string> StatusAsync(Election election) =>
        site.ReadAsync<string>($"SELECT status FROM voting.surveys WHERE id = {election.Id}");

    /// <returns>A vote that was cast, as it stands in the log.</returns>
    private async Task<(LoggedRecord Record, string Text)> GenuineAsync(Election election)
    {
        var voter = (await site.VotersAsync(1))[0];
        var answer = await election.CastAsync(site.First, voter, 5);
        Assert.Equal(202, answer.Status);
        var record = (await LogTables.ReadAsync(site.Database, "votes"))
            .Single(record => VoteEvent.Read(record)?.VoteId == answer.VoteId);
        return (record, Encoding.UTF8.GetString(record.Value));
    }

    private static string Fence(Election election, int partition) => string.Concat(
        """{"specversion":"1.0","type":"survey.closed","source":"/voting/surveys","id":""",
        $"\"closed-{election.Id}-{partition}\"",
        ""","time":"2026-01-15T10:30:00.123Z","datacontenttype":"application/json","data":{"survey":""",
        $"\"{election.Id}\",\"partition\":{partition}}}}}");
}
