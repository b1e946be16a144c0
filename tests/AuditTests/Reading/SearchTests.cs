using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Audit;
using Microsoft.Extensions.Options;
using Platform;

namespace AuditTests;

/// <summary>What auditors find of the archive, over HTTP.</summary>
[Collection(ReadingCollection.Name)]
public sealed class SearchTests(ReadingSite site)
{
    private static readonly DateTimeOffset Start = new(2026, 3, 31, 23, 50, 0, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_vote_and_its_outcome_are_found_by_all_that_they_are_about()
    {
        var survey = await site.OpenSurveyAsync();
        var (vote, entry) = await site.CastAsync(survey, 1);
        JsonElement[] found = [];
        await site.UntilAsync(async () => (found = Items(await site.SearchAsync($"?vote={vote}"))).Length == 2);

        Assert.Equal(["vote.counted", "vote.submitted"], found.Select(one => Member(one, "type")));
        Assert.Equal(entry, Member(found[1], "entry"));
        Assert.All(found, one => Assert.Equal((vote, survey.Id), (Member(one, "vote"), Member(one, "survey"))));
        var voter = Member(found[0], "voterKey");
        Assert.Equal(2, Items(await site.SearchAsync($"?voterKey={voter}")).Length);
        Assert.Equal(2, Items(await site.SearchAsync($"?voterKey={voter}&vote={vote}&survey={survey.Id}")).Length);
        Assert.Empty(Items(await site.SearchAsync($"?voterKey={voter}&survey={survey.Id}1")));
        Assert.Equal(entry, Member(Assert.Single(
            Items(await site.SearchAsync($"?survey={survey.Id}&type=vote.submitted"))), "entry"));
        var time = Member(found[1], "time");
        Assert.Equal(2, Items(await site.SearchAsync($"?vote={vote}&from={time}")).Length);
        Assert.Empty(Items(await site.SearchAsync($"?vote={vote}&to={time}")));
        // What staff did to the survey is found by who did it.
        var made = Items(await site.SearchAsync($"?survey={survey.Id}&actor=operator-manager"));
        Assert.Equal(["survey.published", "survey.created"], made.Select(one => Member(one, "type")));
        Assert.All(made, one => Assert.Equal("events", Member(one, "log")));
    }

    [Fact]
    public async Task Pages_hold_each_event_once_while_others_are_added()
    {
        const int survey = 999_001;
        await AddAsync(survey, 1, 0, Enumerable.Range(0, 230));
        var seen = new List<long>();
        var (cursor, page) = ("", 0);
        while (true)
        {
            var answer = await site.SearchAsync($"?survey={survey}&limit=50{cursor}");
            seen.AddRange(Items(answer).Select(one => one.GetProperty("index").GetInt64()));
            if (answer.GetProperty("next").GetString() is not { } next) break;
            cursor = $"&cursor={next}";
            // Newer ones, and older ones: in another month, too.
            page++;
            await AddAsync(survey, page + 1, 1_000 + (2 * page), 300 + page, -page);
        }

        Assert.Equal(Enumerable.Range(0, 230).Select(one => 229L - one), seen.Where(one => one < 230));
        Assert.Equal(seen.Distinct(), seen);
    }

    [Fact]
    public async Task A_segment_is_added_once_whoever_adds_it()
    {
        const int survey = 999_002;
        await AddAsync(survey, 1, 0, 0, 1, 2);

        Assert.False(await TryAddAsync(survey, 1, 0, 0, 1, 2));
        Assert.False(await TryAddAsync(survey, 3, 3, 3));
        Assert.True(await TryAddAsync(survey, 2, 3, 3));
        Assert.Equal(4, Items(await site.SearchAsync($"?survey={survey}&limit=100")).Length);
    }

    [Fact]
    public async Task Nothing_is_taken_from_a_segment_that_is_not_what_was_sealed()
    {
        // An object that is there, with another digest than the one that was sealed.
        await site.UntilAsync(async () => Items(await site.SearchAsync("?type=staff.token-issued")).Length > 0);
        await using var plant = site.Installation.Database.Source.CreateCommand("""
            WITH head AS (
                INSERT INTO audit.heads (log, checkpoint, size, root, last_hash, frontier, sealed_at, document,
                    checkpoint_digest, published, note)
                SELECT 'damaged', 1, size, root, last_hash, frontier, sealed_at, document, checkpoint_digest, 1, note
                FROM audit.heads WHERE log = 'events'
                RETURNING log)
            INSERT INTO audit.segments
                (log, checkpoint, first_index, entries, object_key, version_id, digest, size_bytes, note, sealed_at)
            SELECT head.log, 1, 0, entries, object_key, version_id, sha256(digest), size_bytes, note, sealed_at
            FROM head, audit.segments s WHERE s.log = 'events' AND s.checkpoint = 1
            """);
        await plant.ExecuteNonQueryAsync(Cancel);

        var management = site.Installation.Hosts[0].Management;
        await site.UntilAsync(async () => (await management.GetStringAsync("/metrics", Cancel)).Split('\n')
            .Any(line => line.StartsWith("audit_index_failures", StringComparison.Ordinal)));

        // And the other logs go on.
        var (vote, _) = await site.CastAsync(await site.OpenSurveyAsync(), 0);
        await site.UntilAsync(async () => Items(await site.SearchAsync($"?vote={vote}")).Length == 2);
        await using var added = site.Installation.Database.Source.CreateCommand(
            "SELECT checkpoint FROM audit.indexed WHERE log = 'damaged'");
        Assert.Equal(0L, await added.ExecuteScalarAsync(Cancel));
    }

    [Fact]
    public async Task Thousands_are_exported_in_order_in_both_forms()
    {
        const int survey = 999_003;
        const int count = 5_000;
        await AddAsync(survey, 1, 0, Enumerable.Range(0, count));

        using var answer = await ExportAsync($"?survey={survey}&format=csv");
        Assert.Equal("text/csv; charset=utf-8; header=present", answer.Content.Headers.ContentType?.ToString());
        var lines = (await answer.Content.ReadAsStringAsync(Cancel)).Split("\r\n");
        Assert.Equal("log,index,time,type,survey,vote,voterKey,actor,topic,partition,offset,entry", lines[0]);
        Assert.Equal("", lines[^1]);
        Assert.Equal(
            Enumerable.Range(0, count).Select(one => one.ToString(CultureInfo.InvariantCulture)),
            lines[1..^1].Select(line => line.Split(',')[1]));
        Assert.Contains(",\"anna, \"\"the\"\" auditor\",", lines[1], StringComparison.Ordinal);

        using var ndjson = await ExportAsync($"?survey={survey}");
        Assert.Equal("application/x-ndjson", ndjson.Content.Headers.ContentType?.ToString());
        var items = Lines(await ndjson.Content.ReadAsStringAsync(Cancel));
        Assert.Equal(Enumerable.Range(0, count), items.Select(one => one.GetProperty("index").GetInt32()));
        Assert.Equal("anna, \"the\" auditor", Member(items[0], "actor"));
    }

    [Theory]
    [InlineData("=1+1")]
    [InlineData("+1")]
    [InlineData("-1")]
    [InlineData("@SUM(A1)")]
    [InlineData("\t=1")]
    [InlineData("\r=1")]
    public void No_cell_of_a_table_is_a_formula(string actor)
    {
        var to = new System.Buffers.ArrayBufferWriter<byte>();
        var one = new ArchivedEvent(
            "events", 1, Start, "x", null, null, null, actor, "domain-events", 0, 1, TreeHash.Empty);
        using (var table = new ExportLines(to, ExportFormat.Csv, withEvents: false)) table.Write(one, null);
        using (var lines = new ExportLines(to, ExportFormat.Ndjson, withEvents: false)) lines.Write(one, null);

        var text = Encoding.UTF8.GetString(to.WrittenSpan);
        Assert.Contains($"'{actor}", text, StringComparison.Ordinal);
        Assert.DoesNotContain($",{actor}", text, StringComparison.Ordinal);
        Assert.DoesNotContain("'", text[text.IndexOf('{', StringComparison.Ordinal)..], StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_export_brings_the_events_themselves_if_wished()
    {
        var survey = await site.OpenSurveyAsync();
        await site.CastAsync(survey, 0);
        await site.CastAsync(survey, 1);
        await site.UntilAsync(async () => Items(await site.SearchAsync($"?survey={survey.Id}")).Length == 6);

        using var answer = await ExportAsync($"?survey={survey.Id}&events=true");
        var text = await answer.Content.ReadAsStringAsync(Cancel);
        var found = Lines(text);

        Assert.Equal(6, found.Length);
        Assert.Equal("survey.created", Member(found[0], "type"));
        foreach (var (one, line) in found.Zip(text.Split('\n')))
        {
            // Byte for byte: what is hashed is what was archived.
            var raw = Encoding.UTF8.GetBytes(line[(line.IndexOf(",\"event\":", StringComparison.Ordinal) + 9)..^1]);
            Assert.Equal(Member(one, "entry"), Base64Url.EncodeToString(Digest.Of(raw).Span));
            Assert.Equal(Member(one, "type"), one.GetProperty("event").GetProperty("type").GetString());
        }
    }

    [Theory]
    [InlineData("vote=x")]
    [InlineData("voterKey=AAAAAAAAAAAAAAAAAAAAAB")]
    [InlineData("survey=07")]
    [InlineData("survey=")]
    [InlineData("type=")]
    [InlineData("actor=%00")]
    [InlineData("from=yesterday")]
    [InlineData("from=2026-01-15T10:30:00%2B01:00")]
    [InlineData("to=2026-01-15T10:30:00Z&from=2026-01-15T10:30:00Z")]
    [InlineData("limit=101")]
    [InlineData("cursor=AAAA")]
    [InlineData("cursor=_________________________w")]
    [InlineData("surveys=7")]
    [InlineData("survey=7&survey=7")]
    public async Task A_bad_filter_is_refused_by_name(string query)
    {
        using var answer = await site.AskAsync(HttpMethod.Get, $"/v1/internal/audit/events?{query}", "auditor");
        var problem = await ReadingSite.JsonAsync(answer);
        Assert.Equal(400, (int)answer.StatusCode);
        Assert.Equal("https://errors.voting/malformed-request", Member(problem, "type"));
        Assert.True(problem.GetProperty("errors").TryGetProperty(query.Split('=')[0], out _));
        if (query.StartsWith("limit", StringComparison.Ordinal)) return;
        using var export = await site.AskAsync(HttpMethod.Get, $"/v1/internal/audit/events/export?{query}", "auditor");
        Assert.Equal(400, (int)export.StatusCode);
    }

    [Theory]
    [InlineData("manager", 403)]
    [InlineData("investigator", 403)]
    [InlineData("admin", 200)]
    public async Task Only_auditors_may_search(string role, int status)
    {
        foreach (var path in new[] { "", "/export" })
        {
            using var answer = await site.AskAsync(
                HttpMethod.Get, $"/v1/internal/audit/events{path}?survey=123456", role);
            Assert.Equal(status, (int)answer.StatusCode);
            Assert.True(answer.Headers.CacheControl?.NoStore);
        }
    }

    private Task<HttpResponseMessage> ExportAsync(string query) =>
        site.AskAsync(HttpMethod.Get, $"/v1/internal/audit/events/export{query}", "auditor");

    private async Task AddAsync(int survey, long checkpoint, long firstIndex, params IEnumerable<int> minutes) =>
        Assert.True(await TryAddAsync(survey, checkpoint, firstIndex, minutes));

    /// <summary>Adds a segment of a log that nobody seals: an event at each of some minutes.</summary>
    private async Task<bool> TryAddAsync(int survey, long checkpoint, long firstIndex, params IEnumerable<int> minutes)
    {
        var log = $"planted-{survey % 1000:000}";
        await PlantAsync("INSERT INTO audit.heads (log, root, last_hash, frontier) VALUES ($1, $2, $2, $2)", log);
        await PlantAsync("INSERT INTO audit.indexed (log) SELECT $1 WHERE octet_length($2) = 32", log);
        using var writer = new SegmentWriter(firstIndex, default);
        foreach (var minute in minutes)
        {
            var time = OutboxEvent.Time(Start.AddMinutes(minute));
            writer.Add(new("planted", 0), minute + 1_000, Encoding.UTF8.GetBytes($$$"""
                {"type":"planted","actor":"anna, \"the\" auditor","time":"{{{time}}}","data":{"survey":"{{{survey}}}"}}
                """));
        }

        var connection = Options.Create(new DatabaseOptions
        {
            ConnectionString = site.Installation.Database.ConnectionString,
        });
        await using var database = new AuditDatabase(
            new(Options.Create(new ShardOptions()), connection, Options.Create(new LogOptions())), connection);
        var segment = new UnindexedSegment(log, checkpoint, new("key", "version", default), Start.AddDays(9), -1);
        return await new EventIndex(database).AddAsync(
            segment, SegmentFacts.Read(segment, writer.Finish().ToArray()), Cancel);
    }

    private async Task PlantAsync(string sql, string log)
    {
        await using var plant = site.Installation.Database.Source.CreateCommand($"{sql} ON CONFLICT DO NOTHING");
        plant.Parameters.Add(new() { Value = log });
        plant.Parameters.Add(new() { Value = new byte[Digest.Bytes] });
        await plant.ExecuteNonQueryAsync(Cancel);
    }

    private static JsonElement[] Items(JsonElement page) => [.. page.GetProperty("items").EnumerateArray()];

    private static string? Member(JsonElement one, string name) => one.GetProperty(name).GetString();

    private static JsonElement[] Lines(string text) =>
    [
        .. text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<JsonElement>(line)),
    ];
}
