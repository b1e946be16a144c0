using System.Globalization;
using System.Text.Json;

namespace AuditTests;

/// <summary>A running installation compares archive, rows and tallies by itself, and tells whoever looks.</summary>
[Collection(ReadingCollection.Name)]
public sealed class ComparedTests(ReadingSite site)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_altered_in_a_shard_is_a_figure_a_log_line_and_an_archived_event()
    {
        var survey = await site.OpenSurveyAsync();
        for (var vote = 0; vote < 3; vote++) await site.CastAsync(survey, vote % 2);
        await site.UntilAsync(async () => await ReadAsync<long>($"""
            SELECT coalesce(sum(counted), 0)::bigint FROM audit.reconciled_surveys WHERE survey = {survey.Id}
            """) == 3);
        Assert.Equal(0L, await ReadAsync<long>($"SELECT count(*) FROM audit.differences WHERE survey = {survey.Id}"));
        var schema = await HolderAsync(survey);

        await ExecuteAsync($"UPDATE {schema}.tallies SET ballots = ballots + 1 WHERE survey = {survey.Id}");
        await ExecuteAsync($"UPDATE {schema}.ballots SET options = options || 1 WHERE survey = {survey.Id}");
        await site.UntilAsync(async () =>
            (await ToldAsync("audit.difference-found", survey)).IsSupersetOf(["row-altered", "tally-altered"]));
        await site.UntilAsync(async () => await FigureAsync("audit_reconciliation_differences") >= 2);
        Assert.Contains(site.Installation.Hosts[0].Lines, line =>
            line.Contains("Reconciliation of votes-", StringComparison.Ordinal)
            && line.Contains("The row is not what was archived: options.", StringComparison.Ordinal));

        await ExecuteAsync($"UPDATE {schema}.tallies SET ballots = ballots - 1 WHERE survey = {survey.Id}");
        await ExecuteAsync($"""
            UPDATE {schema}.ballots SET options = options[:cardinality(options) - 1] WHERE survey = {survey.Id}
            """);
        await site.UntilAsync(async () =>
            (await ToldAsync("audit.difference-resolved", survey)).IsSupersetOf(["row-altered", "tally-altered"]));
        await site.UntilAsync(async () => await FigureAsync("audit_reconciliation_differences") == 0
            && await FigureAsync("audit_reconciliation_completed_time") > 0);
    }

    [Fact]
    public async Task What_is_altered_of_a_final_result_is_found_as_long_as_it_lasts()
    {
        var survey = await site.OpenSurveyAsync();
        await site.CastAsync(survey, 1);
        using (var finish = await site.AskAsync(HttpMethod.Put, $"/v1/internal/surveys/{survey.Id}/finish", "manager"))
            finish.EnsureSuccessStatusCode();
        await site.UntilAsync(async () =>
            await ReadAsync<long>($"SELECT count(*) FROM audit.results WHERE survey = {survey.Id}") == 1);
        Assert.Equal(0L, await ReadAsync<long>($"SELECT count(*) FROM audit.differences WHERE survey = {survey.Id}"));

        // Whoever owns the database passes over its triggers.
        await AlterAsync("final_ballots + 1");
        await site.UntilAsync(async () =>
            (await ToldAsync("audit.difference-found", survey)).Contains("final-altered"));
        Assert.Contains(site.Installation.Hosts[0].Lines, line => line.Contains(
            "The stored final result is not what was archived: final_ballots.", StringComparison.Ordinal));
        await AlterAsync("final_ballots - 1");
        await site.UntilAsync(async () =>
            (await ToldAsync("audit.difference-resolved", survey)).Contains("final-altered"));
        Assert.Equal(1L, await ReadAsync<long>($"SELECT count(*) FROM audit.differences WHERE survey = {survey.Id}"));

        Task AlterAsync(string ballots) => ExecuteAsync($"""
            SET session_replication_role = replica;
            UPDATE voting.surveys SET final_ballots = {ballots} WHERE id = {survey.Id};
            RESET session_replication_role
            """);
    }

    [Fact]
    public async Task A_damaged_object_is_a_figure_a_log_line_and_an_archived_event_and_nothing_ends()
    {
        const string Log = "checkpoints";
        await site.UntilAsync(async () => await FigureAsync("audit_verification_completed_time") > 0);
        Assert.Equal(0, await FigureAsync("audit_verification_open"));
        var file = Path.Combine(site.Installation.Archive, Audit.ArchiveKey.Segment(Log, 1));
        var bytes = await File.ReadAllBytesAsync(file, Cancel);
        byte[] damaged = [(byte)(bytes[0] ^ 1), .. bytes.AsSpan(1)];
        await WriteAsync(damaged);
        await site.UntilAsync(async () => (await EventsAsync("type=audit.verification-failed"))
            .Any(one => one.GetProperty("data").GetProperty("log").GetString() == Log));
        await site.UntilAsync(async () => await FigureAsync("audit_verification_open") == 1);
        Assert.Contains(site.Installation.Hosts[0].Lines, line =>
            line.Contains("Verification of checkpoints, checkpoint 1:", StringComparison.Ordinal));

        await WriteAsync(bytes);
        await site.UntilAsync(async () => (await EventsAsync("type=audit.verification-restored")).Count == 1);
        Assert.Single(await EventsAsync("type=audit.verification-failed"));

        // At one blow: it is looked at all the time.
        async Task WriteAsync(byte[] content)
        {
            var beside = $"{site.Installation.Archive}.new";
            await File.WriteAllBytesAsync(beside, content, Cancel);
            File.Move(beside, file, overwrite: true);
        }
    }

    [Fact]
    public async Task Whoever_searches_is_told_of_with_what_was_searched_for()
    {
        var survey = await site.OpenSurveyAsync();
        await site.SearchAsync($"?survey={survey.Id}&type=survey.created&limit=1");
        using (var export = await site.AskAsync(
            HttpMethod.Get, $"/v1/internal/audit/events/export?survey={survey.Id}&events=true", "auditor"))
        {
            export.EnsureSuccessStatusCode();
        }

        List<JsonElement> told = [];
        await site.UntilAsync(async () => (told =
        [
            .. await EventsAsync("type=staff.events-searched"), .. await EventsAsync("type=staff.events-exported"),
        ]).Count(one => Searched(one).TryGetProperty("survey", out var id) && id.GetString() == survey.Id) == 2);
        told.RemoveAll(one => !Searched(one).TryGetProperty("survey", out var id) || id.GetString() != survey.Id);
        Assert.All(told, one => Assert.Equal("operator-auditor", one.GetProperty("actor").GetString()));
        Assert.Equal("survey.created", Searched(told[0]).GetProperty("type").GetString());
        Assert.True(told[1].GetProperty("data").GetProperty("events").GetBoolean());

        static JsonElement Searched(JsonElement one) => one.GetProperty("data").GetProperty("searched");
    }

    /// <returns>Kinds of the differences that the archive has events about.</returns>
    private async Task<HashSet<string>> ToldAsync(string type, ReadingSurvey survey) =>
        [.. (await EventsAsync($"type={type}&survey={survey.Id}"))
            .Select(one => one.GetProperty("data").GetProperty("kind").GetString()!)];

    private async Task<List<JsonElement>> EventsAsync(string query)
    {
        using var answer = await site.AskAsync(
            HttpMethod.Get, $"/v1/internal/audit/events/export?{query}&events=true", "auditor");
        answer.EnsureSuccessStatusCode();
        return [.. (await answer.Content.ReadAsStringAsync(Cancel)).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonElement.Parse(line).GetProperty("event"))];
    }

    /// <returns>The schema of a shard that has a ballot of the survey.</returns>
    private async Task<string> HolderAsync(ReadingSurvey survey)
    {
        for (var shard = 0; ; shard++)
        {
            var schema = string.Create(CultureInfo.InvariantCulture, $"voting_{shard:00}");
            if (await ReadAsync<long>($"SELECT count(*) FROM {schema}.ballots WHERE survey = {survey.Id}") > 0)
                return schema;
        }
    }

    /// <returns>The sum of a metric's values.</returns>
    private async Task<double> FigureAsync(string name) =>
        (await site.Installation.Hosts[0].Management.GetStringAsync("/metrics", Cancel)).Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal))
            .Sum(line => double.Parse(
                line[(line.LastIndexOf('}') + 1)..].Split(' ')[1], CultureInfo.InvariantCulture));

    private async Task<T> ReadAsync<T>(string sql)
    {
        await using var query = site.Installation.Database.Source.CreateCommand(sql);
        return (T)(await query.ExecuteScalarAsync(Cancel))!;
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = site.Installation.Database.Source.CreateCommand(sql);
        Assert.True(await command.ExecuteNonQueryAsync(Cancel) > 0);
    }
}
