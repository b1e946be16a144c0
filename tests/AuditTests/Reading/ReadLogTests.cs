using System.Text.Json;
using Audit;

namespace AuditTests;

/// <summary>The logs as everybody reads them, over HTTP.</summary>
[Collection(ReadingCollection.Name)]
public sealed class ReadLogTests(ReadingSite site)
{
    private static readonly TimeSpan Year = TimeSpan.FromDays(365);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_list_names_every_log_with_the_key_that_its_checkpoint_is_signed_by()
    {
        await SealedAsync();
        var logs = new List<JsonElement>();
        for (var next = ""; next is not null;)
        {
            var (status, body, answer) = await site.GetAsync($"/v1/audit/logs?limit=3{next}");
            Assert.Equal(200, status);
            Assert.Equal(TimeSpan.FromSeconds(1), answer.Headers.CacheControl?.MaxAge);
            using var page = JsonDocument.Parse(body);
            var items = page.RootElement.GetProperty("items").EnumerateArray().Select(one => one.Clone()).ToArray();
            Assert.InRange(items.Length, 1, 3);
            logs.AddRange(items);
            next = page.RootElement.GetProperty("next").GetString() is { } cursor ? $"&cursor={cursor}" : null;
        }

        var names = logs.Select(log => log.GetProperty("log").GetString()!).ToArray();
        Assert.Equal(names.Order(StringComparer.Ordinal).Distinct(), names);
        Assert.Superset(new HashSet<string> { "checkpoints", "events" }, names.ToHashSet());
        foreach (var log in logs)
        {
            var name = log.GetProperty("log").GetString()!;
            Assert.Equal($"/v1/audit/logs/{name}", log.GetProperty("prefix").GetString());
            Assert.True(VerifierKey.TryParse(log.GetProperty("vkey").GetString()!, out var key));
            Assert.Equal((await site.KeyAsync(name)).ToString(), key.ToString());
            var checkpoint = await site.CheckpointAsync(name);
            Assert.Equal(NoteVerdict.Verified, checkpoint.Verify([key], out _));
            Assert.Equal(log.GetProperty("origin").GetString(), checkpoint.Checkpoint.Origin);
            Assert.InRange(log.GetProperty("size").GetInt64(), 1, checkpoint.Checkpoint.Size);
        }
    }

    [Fact]
    public async Task What_is_served_of_a_log_makes_its_signed_tree()
    {
        await SealedAsync();
        var (_, _, answer) = await site.GetAsync("/v1/audit/logs/events/checkpoint");
        Assert.Equal("text/plain; charset=utf-8", answer.Content.Headers.ContentType?.ToString());
        Assert.Equal(TimeSpan.FromSeconds(1), answer.Headers.CacheControl?.MaxAge);
        var checkpoint = (await site.CheckpointAsync("events")).Checkpoint;

        var tree = new TreeFrontier();
        tree.Append(await site.EntriesAsync("events", checkpoint.Size));

        Assert.Equal(checkpoint.Root, tree.Root);
        foreach (var tile in TileId.Of(checkpoint.Size))
        {
            var (status, body, got) = await site.GetAsync($"/v1/audit/logs/events/{tile.Path}");
            Assert.Equal((200, tile.Width * Digest.Bytes), (status, body.Length));
            Assert.Equal("application/octet-stream", got.Content.Headers.ContentType?.ToString());
            Assert.Equal("*", Assert.Single(
                (await WithOriginAsync($"/v1/audit/logs/events/{tile.Path}")).Headers.GetValues(
                    "Access-Control-Allow-Origin")));
        }
    }

    [Fact]
    public async Task The_verb_verify_finds_all_that_is_served_as_it_must_be()
    {
        await SealedAsync();
        var keys = new List<string>();
        using var list = JsonDocument.Parse((await site.GetAsync("/v1/audit/logs?limit=100")).Body);
        foreach (var log in list.RootElement.GetProperty("items").EnumerateArray())
            keys.AddRange(["--vkey", log.GetProperty("vkey").GetString()!]);

        var said = await site.Installation.RunAsync(
            ["verify", "--url", site.Public.BaseAddress!.ToString(), "--json", .. keys], Cancel);

        using var report = JsonDocument.Parse(said.Split('\n')[^1]);
        Assert.True(report.RootElement.GetProperty("verified").GetBoolean());
        Assert.Equal(keys.Count / 2, report.RootElement.GetProperty("logs").GetArrayLength());
    }

    [Fact]
    public async Task Full_tiles_are_kept_for_a_year_and_partial_ones_are_cut_from_them()
    {
        // As sealing would have stored them: a log that no process seals.
        const string log = "planted";
        var grown = GrownLog.Of(600);
        await PlantAsync(log, grown);
        var last = new TileId(0, 2, 88);

        foreach (var tile in TileId.Of(600).Append(last with { Width = 3 }).Append(new(0, 0, 255)))
        {
            var (status, body, answer) = await site.GetAsync($"/v1/audit/logs/{log}/{tile.Path}");
            Assert.Equal(200, status);
            Assert.Equal(grown.Tile(tile), body);
            Assert.Equal(
                tile.Width == TileId.FullWidth ? Year : TimeSpan.FromDays(1), answer.Headers.CacheControl?.MaxAge);
            Assert.Contains("immutable", answer.Headers.CacheControl?.ToString(), StringComparison.Ordinal);
        }

        Assert.Equal(grown.Entries, await site.EntriesAsync(log, 600));
        foreach (var tile in new[]
        {
            last with { Width = 89 }, last with { Width = TileId.FullWidth }, new(0, 3, 1), new(1, 0, 3), new(2, 0, 1),
            new(63, 0, 1), new(TileId.EntriesLevel, 2, 89), new(TileId.EntriesLevel, 3, 1), new(0, long.MaxValue, 256),
        })
        {
            await HasNothingAsync($"/v1/audit/logs/{log}/{tile.Path}");
        }
    }

    [Theory]
    [InlineData("tile/0/0")]
    [InlineData("tile/0/00")]
    [InlineData("tile/00/000")]
    [InlineData("tile/0/x000/000")]
    [InlineData("tile/0/000.p/0")]
    [InlineData("tile/0/000.p/256")]
    [InlineData("tile/0/000.p/01")]
    [InlineData("tile/0/000.p/")]
    [InlineData("tile/0/000.p/+1")]
    [InlineData("tile/0/000/")]
    [InlineData("tile/0//000.p/1")]
    [InlineData("tile/0/%30%30%30.p/1")]
    [InlineData("tile/0/000%2Ep/1")]
    [InlineData("tile/0/000.P/1")]
    [InlineData("tile/0/../0/000.p/1")]
    [InlineData("tile/-1/000.p/1")]
    [InlineData("tile/64/000.p/1")]
    [InlineData("tile/entries/")]
    [InlineData("tile/Entries/000.p/1")]
    [InlineData("tile/")]
    [InlineData("Checkpoint")]
    [InlineData("checkpoint/")]
    [InlineData("%63heckpoint")]
    public async Task Another_spelling_is_not_found(string path)
    {
        await SealedAsync();
        await HasNothingAsync($"/v1/audit/logs/events/{path}");
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("EVENTS")]
    [InlineData("votes-7")]
    [InlineData("votes-07%27--")]
    [InlineData("%65vents")]
    public async Task An_unknown_log_is_not_found(string log)
    {
        await HasNothingAsync($"/v1/audit/logs/{log}/checkpoint");
        await HasNothingAsync($"/v1/audit/logs/{log}/tile/0/000.p/1");
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=101")]
    [InlineData("limit=1&limit=1")]
    [InlineData("cursor=%21")]
    [InlineData("cursor=")]
    [InlineData("page=2")]
    public async Task A_bad_query_is_refused_by_name(string query)
    {
        var (status, body, _) = await site.GetAsync($"/v1/audit/logs?{query}");
        using var problem = JsonDocument.Parse(body);
        Assert.Equal(400, status);
        Assert.True(problem.RootElement.GetProperty("errors").TryGetProperty(query.Split('=')[0], out _));
    }

    private Task SealedAsync() => site.UntilAsync(async () =>
    {
        using var list = JsonDocument.Parse((await site.GetAsync("/v1/audit/logs?limit=100")).Body);
        return list.RootElement.GetProperty("items").EnumerateArray().Count(log =>
            log.GetProperty("log").GetString() is "events" or "checkpoints") == 2;
    });

    private async Task HasNothingAsync(string path)
    {
        var (status, body, answer) = await site.GetAsync(path);
        Assert.True(status == 404, $"{path} answered {status}.");
        using var problem = JsonDocument.Parse(body);
        Assert.Equal("https://errors.voting/not-found", problem.RootElement.GetProperty("type").GetString());
    }

    private async Task<HttpResponseMessage> WithOriginAsync(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("Origin", "https://anybody.example");
        return await site.Public.SendAsync(request, Cancel);
    }

    private async Task PlantAsync(string log, GrownLog grown)
    {
        var signed = SignedCheckpoint.Sign(
            new($"voting.localhost/{log}", grown.Size, grown.Root), Signers.Log($"voting.localhost/{log}"));
        await using var connection = await site.Installation.Database.Source.OpenConnectionAsync(Cancel);
        await using var head = new Npgsql.NpgsqlCommand("""
            INSERT INTO audit.heads (log, checkpoint, size, root, last_hash, frontier, sealed_at, document,
                checkpoint_digest, published, note)
            VALUES ($1, 1, $2, $3, $3, $3, now(), $3, $3, 1, $4)
            """, connection);
        head.Parameters.Add(new() { Value = log });
        head.Parameters.Add(new() { Value = grown.Size });
        head.Parameters.Add(new() { Value = grown.Root.ToArray() });
        head.Parameters.Add(new() { Value = signed.ToString() });
        await head.ExecuteNonQueryAsync(Cancel);
        // Larger than what is published: what a seal left behind that was not published yet.
        foreach (var (level, index, hashes) in Stored(grown))
        {
            await using var tile = new Npgsql.NpgsqlCommand(
                "INSERT INTO audit.tiles (log, level, index, hashes) VALUES ($1, $2, $3, $4)", connection);
            tile.Parameters.Add(new() { Value = log });
            tile.Parameters.Add(new() { Value = (short)level });
            tile.Parameters.Add(new() { Value = index });
            tile.Parameters.Add(new() { Value = hashes });
            await tile.ExecuteNonQueryAsync(Cancel);
        }
    }

    private static IEnumerable<(int Level, long Index, byte[] Hashes)> Stored(GrownLog grown)
    {
        var more = GrownLog.Of((int)grown.Size + 50);
        foreach (var (level, index, width) in more.Tiles)
        {
            var hashes = level == 0
                ? Digest.BytesOf(more.Entries.Skip((int)index * TileId.FullWidth).Take(width).ToArray()).ToArray()
                : more.Tile(new(level, index, width));
            yield return (level == 0 ? TileId.EntriesLevel : level, index, hashes);
        }
    }
}
