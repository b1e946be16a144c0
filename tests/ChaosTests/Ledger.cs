using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Npgsql;

namespace ChaosTests;

/// <summary>A stored row that ends one record's story.</summary>
internal sealed record Ending(
    string Kind, string Reason, int Survey, string VoteId, string VoterKey, byte[] Entry, int[] Options);

/// <summary>
/// The whole of an installation's votes as its tables hold them, and what must be true of it whatever happened. Decides
/// anew what every record of the log must have become; shares no code with what counted it.
/// </summary>
internal sealed class Ledger
{
    private readonly Dictionary<(int Partition, long Offset), Ending> _endings = [];
    private readonly Dictionary<(int Survey, int Partition), long> _fences = [];
    private readonly HashSet<(int Partition, long Offset)> _dismissed = [];

    public required List<LoggedRecord> Records { get; init; }

    public required List<LoggedRecord> Outcomes { get; init; }

    public IReadOnlyDictionary<(int Partition, long Offset), Ending> Endings => _endings;

    public int Count(Election election, string kind, string reason = "") => _endings.Values.Count(ending =>
        ending.Survey == election.Number && ending.Kind == kind && (reason.Length == 0 || ending.Reason == reason));

    public static async Task<Ledger> ReadAsync(Site site)
    {
        var database = site.Database;
        var ledger = new Ledger
        {
            Records = await site.LogAsync("votes"),
            Outcomes = await site.LogAsync("vote-outcomes"),
        };
        foreach (var schema in await SchemasAsync(database))
        {
            await ledger.ReadEndingsAsync(database, schema);
            await using var query = database.CreateCommand(
                $"""SELECT survey, partition, "offset" FROM {schema}.fences""");
            await using var rows = await query.ExecuteReaderAsync();
            while (await rows.ReadAsync()) ledger._fences.Add((rows.GetInt32(0), rows.GetInt32(1)), rows.GetInt64(2));
            await ledger.ReadDismissedAsync(database, schema);
        }

        return ledger;
    }

    /// <returns>The shards' schemas.</returns>
    public static async Task<List<string>> SchemasAsync(NpgsqlDataSource database)
    {
        await using var query = database.CreateCommand(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ '^voting_[0-9]+$' ORDER BY 1");
        await using var rows = await query.ExecuteReaderAsync();
        var schemas = new List<string>();
        while (await rows.ReadAsync()) schemas.Add(rows.GetString(0));
        return schemas;
    }

    /// <summary>Every record of <c>votes</c> became what it had to become: one thing, and the right one.</summary>
    public void AssertEveryRecordHasItsEnding()
    {
        var first = new Dictionary<(int Survey, string VoterKey), string>();
        var closed = new Dictionary<(int Survey, int Partition), long>();
        var replayed = new HashSet<(int Partition, long Offset)>();
        var seen = 0;
        foreach (var record in Records)
        {
            var place = (record.Partition, record.Offset);
            var vote = VoteEvent.Read(record);
            var has = _endings.TryGetValue(place, out var ending);
            if (has) seen++;
            // That it had to be set aside is said by the test that put it there.
            if (ending is { Kind: "poison" }) continue;

            Assert.True(vote is not null, $"votes-{place} is no event and yet was not set aside.");
            if (vote.Type == "survey.closed")
            {
                Assert.False(has, $"The fence at {place} has an ending.");
                closed.TryAdd((vote.Survey, record.Partition), record.Offset);
                continue;
            }

            Assert.True(has, $"The vote at {place} has no ending.");
            var voter = (vote.Survey, vote.VoterKey);
            var late = closed.TryGetValue((vote.Survey, record.Partition), out var fence) && fence < vote.Place;
            var known = first.TryGetValue(voter, out var voteId);
            var original = (record.Partition, vote.Place);
            var expected = vote.IsReplay && _dismissed.Contains(original) ? ("rejected", "invalid")
                : vote.IsReplay && !replayed.Add(original) ? ("repeated", "")
                : known && voteId == vote.VoteId ? ("repeated", "")
                : late ? ("rejected", "after-close") : known ? ("rejected", "duplicate") : ("counted", "");
            if (expected.Item1 == "counted") first.Add(voter, vote.VoteId);
            Assert.Equal(expected, (ending!.Kind, ending.Reason));
            Assert.Equal((vote.Survey, vote.VoteId, vote.VoterKey), (ending.Survey, ending.VoteId, ending.VoterKey));
            Assert.Equal(SHA256.HashData(vote.Submitted), ending.Entry);
            if (ending.Kind == "counted") Assert.Equal(vote.Options, ending.Options);
        }

        Assert.Equal(_endings.Count, seen);
        Assert.Equal(closed.OrderBy(fence => fence.Key), _fences.OrderBy(fence => fence.Key));
        Assert.Equal(first.Count, _endings.Values.Count(ending => ending.Kind == "counted"));
    }

    /// <summary>Outcomes as their readers see them: offsets passed are dropped, gaps are refused.</summary>
    /// <returns>How many were said again.</returns>
    public int AssertOutcomesAreComplete()
    {
        var said = new Dictionary<(int Partition, long Offset), byte[]>();
        var last = Enumerable.Range(0, 16).ToDictionary(partition => partition, _ => -1L);
        var again = 0;
        foreach (var record in Outcomes)
        {
            using var json = JsonDocument.Parse(record.Value);
            var data = json.RootElement.GetProperty("data");
            var place = (record.Partition, Offset: data.GetProperty("offset").GetInt64());
            Assert.Equal(record.Partition, data.GetProperty("partition").GetInt32());
            if (said.TryGetValue(place, out var before))
            {
                Assert.Equal(before, record.Value);
                again++;
                continue;
            }

            Assert.True(place.Offset > last[place.Partition], $"The outcome of {place} was said late.");
            Assert.Equal(last[place.Partition], data.GetProperty("previous").GetInt64());
            last[place.Partition] = place.Offset;
            said.Add(place, record.Value);
            var ending = _endings[place];
            Assert.Equal($"vote.{ending.Kind}", json.RootElement.GetProperty("type").GetString());
            Assert.Equal(ending.VoteId, data.GetProperty("voteId").GetString());
            Assert.Equal(ending.Reason, data.TryGetProperty("reason", out var reason) ? reason.GetString() : "");
            Assert.Equal(Base64Url.DecodeFromChars(ending.VoteId), record.Key);
        }

        var decided = _endings.Where(ending => ending.Value.Kind != "poison").Select(ending => ending.Key);
        Assert.Equal(decided.Order(), said.Keys.Order());
        return again;
    }

    private async Task ReadDismissedAsync(NpgsqlDataSource database, string schema)
    {
        await using var query = database.CreateCommand($"""
            SELECT partition, "offset" FROM {schema}.poison WHERE resolved_at IS NOT NULL AND replayed_as IS NULL
            """);
        await using var rows = await query.ExecuteReaderAsync();
        while (await rows.ReadAsync()) _dismissed.Add((rows.GetInt32(0), rows.GetInt64(1)));
    }

    private async Task ReadEndingsAsync(NpgsqlDataSource database, string schema)
    {
        await using var query = database.CreateCommand($"""
            SELECT 'counted', '', survey, vote_id, voter_key, entry, partition, "offset", options
            FROM {schema}.ballots
            UNION ALL
            SELECT CASE kind WHEN 3 THEN 'rejected' ELSE 'repeated' END, coalesce(reason, ''), survey, vote_id,
                voter_key, entry, partition, "offset", ARRAY[]::int[] FROM {schema}.refused
            UNION ALL
            SELECT 'poison', reason, 0, '', '', '', partition, "offset", ARRAY[]::int[] FROM {schema}.poison
            """);
        await using var rows = await query.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            // Adding fails if a record had two endings.
            _endings.Add((rows.GetInt32(6), rows.GetInt64(7)), new(
                rows.GetString(0), rows.GetString(1), rows.GetInt32(2), Text(3), Text(4), rows.GetFieldValue<byte[]>(5),
                rows.GetFieldValue<int[]>(8)));
        }

        string Text(int column) => Base64Url.EncodeToString(rows.GetFieldValue<byte[]>(column));
    }
}
