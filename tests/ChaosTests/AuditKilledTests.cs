using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ZstdSharp;

namespace ChaosTests;

[Collection(CountingSite.Name)]
public sealed class AuditKilledTests(Site site)
{
    private const int Kills = 3;
    private const int Voters = 60;

    private static readonly string[] Topics = ["votes", "vote-outcomes", "domain-events"];

    private static readonly Dictionary<string, string> Quick = new()
    {
        ["Audit__SealAfter"] = "00:00:00.100",
        ["Audit__SealEntryCountMax"] = "7",
        ["Audit__Reconciliation__PollInterval"] = "00:00:00.300",
        ["Audit__Reconciliation__PassInterval"] = "00:00:02",
        ["Audit__Verification__PollInterval"] = "00:00:00.300",
        ["Audit__Verification__PassInterval"] = "00:00:02",
    };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Killed_while_it_seals_under_load_every_event_is_archived_once()
    {
        var election = await site.PublishAsync();
        var audit = await site.Installation.StartHostAsync("audit", Quick, Cancel);
        for (var kill = 0; kill < Kills; kill++)
        {
            var casting = site.CastAsync(election, Voters);
            await Until.HoldsAsync("a checkpoint is begun and not sealed", async () =>
                await site.ReadAsync<long>("SELECT count(*) FROM audit.heads WHERE intent IS NOT NULL") > 0);
            await audit.KillAsync();
            audit = await site.Installation.StartHostAsync("audit", Quick, Cancel);
            await casting;
        }

        await site.SettleAsync();
        await Until.HoldsAsync("everything is sealed", () => site.ReadAsync<bool>("""
            SELECT (SELECT coalesce(sum(size) FILTER (WHERE published = checkpoint AND intent IS NULL), 0)
                    FROM audit.heads WHERE log <> 'checkpoints')
                = (SELECT sum(next_offset) FROM platform.log_partitions
                   WHERE topic IN ('votes', 'vote-outcomes', 'domain-events'))
            """));
        await AssertNothingDiffersAsync(election);
        Assert.Equal(0, await audit.TerminateAsync(Cancel));

        var archived = Directory.GetDirectories(Path.Combine(site.Installation.Archive, "votes"))
            .Append(Path.Combine(site.Installation.Archive, "events")).SelectMany(EventsOf).ToList();
        var logged = new List<(string, int, long, string)>();
        foreach (var topic in Topics)
        {
            logged.AddRange((await site.LogAsync(topic)).Select(record =>
                (topic, record.Partition, record.Offset, Convert.ToHexString(record.Value))));
        }

        Assert.True(logged.Count > 2 * Kills * Voters);
        Assert.Equal(logged.Order(), archived.Order());
    }

    /// <summary>What was killed looked through rows and archive as well, and cried about nothing.</summary>
    private async Task AssertNothingDiffersAsync(Election election)
    {
        await Until.HoldsAsync("every vote is compared and every checkpoint verified", () => site.ReadAsync<bool>($"""
            SELECT (SELECT coalesce(sum(counted), 0) FROM audit.reconciled_surveys WHERE survey = {election.Id})
                    = {Kills * Voters}
                AND (SELECT bool_and(v.checkpoint = h.published) AND count(*) = (SELECT count(*) FROM audit.heads)
                    FROM audit.verified v JOIN audit.heads h USING (log) WHERE v.kind = 'recent')
            """));
        Assert.Equal("", await site.ReadAsync<string>("""
            SELECT coalesce(string_agg(concat_ws(' ', kind, log, survey, place, detail), '; '), '')
            FROM audit.differences
            """));
    }

    /// <returns>What the log's checkpoints name, each of which continues the one before.</returns>
    private static IEnumerable<(string Topic, int Partition, long Offset, string Event)> EventsOf(string log)
    {
        var (index, previous) = (0L, (string?)null);
        var folders = Directory.GetDirectories(log).Order(StringComparer.Ordinal).ToArray();
        foreach (var (number, folder) in folders.Index())
        {
            Assert.EndsWith($"checkpoint_{number + 1:0000000000}", folder, StringComparison.Ordinal);
            // One file each: what was put again had the same bytes.
            Assert.Equal(2, Directory.GetFiles(folder).Length);
            var file = File.ReadAllBytes(Path.Combine(folder, "checkpoint.json"));
            var said = JsonElement.Parse(
                Base64Url.DecodeFromChars(JsonElement.Parse(file).GetProperty("payload").GetString()));
            Assert.Equal(previous, said.GetProperty("previous").GetString());
            previous = Base64Url.EncodeToString(SHA256.HashData(file));
            var segment = File.ReadAllBytes(Path.Combine(folder, "segment.ndjson.zst"));
            Assert.Equal(
                Base64Url.EncodeToString(SHA256.HashData(segment)),
                said.GetProperty("segment").GetProperty("digest").GetString());
            foreach (var line in Unpack(segment).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                var entry = JsonElement.Parse(line);
                Assert.Equal(index++, entry.GetProperty("index").GetInt64());
                yield return (
                    entry.GetProperty("topic").GetString()!, entry.GetProperty("partition").GetInt32(),
                    entry.GetProperty("offset").GetInt64(), Convert.ToHexString(BytesOf(entry)));
            }

            Assert.Equal(index, said.GetProperty("size").GetInt64());
        }
    }

    /// <returns>The event, which may be none at all: other tests put poison into the log.</returns>
    private static byte[] BytesOf(JsonElement entry)
    {
        if (entry.TryGetProperty("event", out var json)) return Encoding.UTF8.GetBytes(json.GetRawText());
        return entry.TryGetProperty("text", out var text)
            ? Encoding.UTF8.GetBytes(text.GetString()!)
            : Base64Url.DecodeFromChars(entry.GetProperty("bytes").GetString());
    }

    private static string Unpack(byte[] segment)
    {
        using var text = new StreamReader(new DecompressionStream(new MemoryStream(segment)));
        return text.ReadToEnd();
    }
}
