using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;
using Audit;

namespace AuditTests;

/// <summary>The statement of a final result, from its votes on, over HTTP.</summary>
[Collection(ReadingCollection.Name)]
public sealed class StatementTests(ReadingSite site)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_final_result_is_stated_with_the_checkpoints_that_it_was_counted_at()
    {
        var survey = await site.OpenSurveyAsync();
        var entries = new List<string>();
        foreach (var option in new[] { 0, 1, 1 }) entries.Add((await site.CastAsync(survey, option)).Entry);
        var path = $"/v1/audit/results/{survey.Id}";
        Assert.Equal(404, (await site.GetAsync(path)).Status);

        // What comes first and cannot be archived keeps no other waiting.
        await PlantUnarchivableAsync();
        using (var finish = await site.AskAsync(HttpMethod.Put, $"/v1/internal/surveys/{survey.Id}/finish", "manager"))
            finish.EnsureSuccessStatusCode();
        await site.UntilAsync(async () => (await site.GetAsync(path)).Status == 200);

        var (_, statement, answer) = await site.GetAsync(path);
        using var listed = JsonDocument.Parse((await site.GetAsync("/v1/audit/results?limit=100")).Body);
        Assert.Contains(survey.Id, listed.RootElement.GetProperty("items").EnumerateArray()
            .Select(one => one.GetString()));
        using var behind = JsonDocument.Parse((await site.GetAsync($"/v1/audit/results?cursor={survey.Id}")).Body);
        Assert.DoesNotContain(survey.Id, behind.RootElement.GetProperty("items").EnumerateArray()
            .Select(one => one.GetString()));
        Assert.Equal(400, (await site.GetAsync("/v1/audit/results?cursor=x")).Status);
        Assert.Equal("application/jose+json", answer.Content.Headers.ContentType?.ToString());
        Assert.Equal(TimeSpan.FromHours(1), answer.Headers.CacheControl?.MaxAge);
        Assert.False(ResultStatement.TryOpen(statement, [await site.KeyAsync("checkpoints")], out _));
        Assert.True(ResultStatement.TryOpen(statement, [await site.KeyAsync("events")], out var payload));
        using var json = JsonDocument.Parse(payload);
        var said = json.RootElement;
        Assert.Equal((survey.Id, 3), (said.GetProperty("survey").GetString(), said.GetProperty("ballots").GetInt32()));
        Assert.Equal((1, 2), (said.GetProperty("votes").GetProperty(survey.Options[0]).GetInt32(),
            said.GetProperty("votes").GetProperty(survey.Options[1]).GetInt32()));
        var result = said.GetProperty("result").GetString()!.Split('.');
        using var signed = JsonDocument.Parse(Base64Url.DecodeFromChars(result[1]));
        Assert.Equal(survey.Id, signed.RootElement.GetProperty("survey_id").GetString());
        Assert.Equal(3, signed.RootElement.GetProperty("total_responses").GetInt32());
        await CoversAsync(said, entries);
        await IsArchivedAsync(survey.Id, statement);
        await IsSaidToWaitAsync(survey.Id);
        await IsTakenOverAsync(int.Parse(survey.Id, CultureInfo.InvariantCulture), statement);
        await ExecuteAsync("DELETE FROM audit.results WHERE survey = 0");
    }

    private async Task PlantUnarchivableAsync()
    {
        await site.UntilAsync(async () => (await site.GetAsync("/v1/audit/logs/events/checkpoint")).Status == 200);
        var folder = Path.GetDirectoryName(Path.Combine(site.Installation.Archive, ResultStatement.Key(0)))!;
        Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
        // A file where its folder would be.
        await File.WriteAllTextAsync(folder, "", Cancel);
        await ExecuteAsync("""
            INSERT INTO audit.results (survey, log, index, entry, event, statement)
            VALUES (0, 'events', 0, sha256(''), '', '{}')
            """);
    }

    /// <summary>An index that passed over outcomes keeps a statement waiting, and that is said.</summary>
    private async Task IsSaidToWaitAsync(string survey)
    {
        await ExecuteAsync($"""
            UPDATE audit.survey_counts SET counted = counted - 3 WHERE survey = {survey} AND log = (
                SELECT log FROM audit.survey_counts WHERE survey = {survey} ORDER BY counted DESC LIMIT 1);
            UPDATE audit.results SET statement = NULL, version_id = NULL WHERE survey = {survey}
            """);
        await site.UntilAsync(() => Task.FromResult(site.Installation.Hosts[0].Lines.Any(line => line.Contains(
            $"survey {survey} is not stated: the index of all that is archived counts 0 ballots of 3",
            StringComparison.Ordinal))));
        await ExecuteAsync($"""
            UPDATE audit.survey_counts SET counted = counted + 3 WHERE survey = {survey} AND log = (
                SELECT log FROM audit.survey_counts WHERE survey = {survey} ORDER BY counted LIMIT 1)
            """);
        await site.UntilAsync(async () => (await site.GetAsync($"/v1/audit/results/{survey}")).Status == 200);
    }

    /// <summary>A database that was set back shows the statement that the archive has, and signs no other.</summary>
    private async Task IsTakenOverAsync(int survey, byte[] statement)
    {
        await using var back = site.Installation.Database.Source.CreateCommand(
            "UPDATE audit.results SET statement = NULL, version_id = NULL WHERE survey = $1");
        back.Parameters.Add(new() { Value = survey });
        Assert.Equal(1, await back.ExecuteNonQueryAsync(Cancel));
        // And whatever others put there since is none.
        var archive = new DirectoryArchive(site.Installation.Archive);
        await archive.PutAsync(ResultStatement.Key(survey), "{}"u8.ToArray(), ResultStatement.ContentType, Cancel);

        var path = $"/v1/audit/results/{survey}";
        await site.UntilAsync(async () => (await site.GetAsync(path)).Status == 200);

        Assert.Equal(statement, (await site.GetAsync(path)).Body);
        await IsArchivedAsync($"{survey}", statement);
        Assert.Equal(2, await archive.ListAsync(ResultStatement.Key(survey), Cancel).CountAsync(Cancel));
    }

    [Fact]
    public async Task What_the_archive_contradicts_is_not_stated()
    {
        (int Survey, long Ballots, string Votes, string Reason)[] ends =
        [
            (999_010, 4, """{"1":1,"2":4}""", "the archive counts 5 ballots, the result 4"),
            (999_011, 6, """{"1":1,"2":5}""", "the archive counts 5 ballots, the result 6"),
            (999_012, 5, """{"1":5,"2":0}""", "the archive gives other votes than the result"),
            (999_013, 5, """{"1":1,"2":4}""", "1 differences are open"),
            (999_014, 5, """{"1":1,"2":4}""", "the signed result is not what its event says"),
        ];
        await ExecuteAsync("""
            INSERT INTO audit.differences (area, kind, log, survey, detail)
            VALUES ('reconciliation', 'row-altered', 'events', 999013, 'As a test has it.')
            """);
        foreach (var end in ends) await PlantEndAsync(end.Survey, end.Ballots, end.Votes);

        foreach (var (survey, _, _, reason) in ends)
        {
            await site.UntilAsync(() => Task.FromResult(site.Installation.Hosts[0].Lines.Any(line =>
                line.Contains($"survey {survey} is not stated: {reason}", StringComparison.Ordinal))));
            Assert.Equal(404, (await site.GetAsync($"/v1/audit/results/{survey}")).Status);
        }

        await ExecuteAsync("""
            DELETE FROM audit.results WHERE survey BETWEEN 999010 AND 999014;
            DELETE FROM audit.differences WHERE survey = 999013
            """);
    }

    /// <summary>An end as archived; the archive has five ballots, one of option 1 and four of option 2.</summary>
    private async Task PlantEndAsync(int survey, long ballots, string votes)
    {
        await site.UntilAsync(async () => (await site.GetAsync("/v1/audit/logs/events/checkpoint")).Status == 200);
        await using var plant = site.Installation.Database.Source.CreateCommand("""
            WITH counts AS (INSERT INTO audit.survey_counts (survey, log, counted) VALUES ($1, 'events', 5)),
            figures AS (
                INSERT INTO audit.reconciled_surveys (
                    survey, log, submitted, counted, held, rejected, repeated, set_aside, options, votes)
                VALUES ($1, 'events', 5, 5, 0, 0, 0, 0, '{1,2}', '{1,4}'))
            INSERT INTO audit.results (survey, log, index, entry, event) VALUES ($1, 'events', 0, $2, $3)
            """);
        plant.Parameters.Add(new() { Value = survey });
        plant.Parameters.Add(new() { Value = new byte[Digest.Bytes] });
        plant.Parameters.Add(new()
        {
            Value = System.Text.Encoding.UTF8.GetBytes($$$"""
                {"data":{"version":1,"ballots":{{{ballots}}},"votes":{{{votes}}},"fences":[],"statement":"a.b.c"}}
                """),
        });
        await plant.ExecuteNonQueryAsync(Cancel);
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = site.Installation.Database.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    /// <summary>The named checkpoints are of the logs as they are served, and hold every ballot and the end.</summary>
    private async Task CoversAsync(JsonElement said, List<string> entries)
    {
        var covered = new HashSet<string>();
        var checkpoints = said.GetProperty("checkpoints").EnumerateArray().ToArray();
        Assert.Equal(
            [.. Enumerable.Range(0, 16).Select(partition => $"votes-{partition:00}").Prepend("events")],
            checkpoints.Select(one => one.GetProperty("log").GetString()));
        foreach (var one in checkpoints)
        {
            var (log, size) = (one.GetProperty("log").GetString()!, one.GetProperty("size").GetInt64());
            var tree = new TreeFrontier();
            var read = await site.EntriesAsync(log, size);
            tree.Append(read);
            Assert.Equal(one.GetProperty("root").GetString(), Base64Url.EncodeToString(tree.Root.Span));
            Assert.Equal($"voting.localhost/{log}", one.GetProperty("origin").GetString());
            covered.UnionWith(read.Select(entry => Base64Url.EncodeToString(entry.Span)));
        }

        Assert.Superset(entries.ToHashSet(), covered);
        var end = said.GetProperty("finalized");
        Assert.Equal("events", end.GetProperty("log").GetString());
        Assert.Contains(end.GetProperty("entry").GetString()!, covered);
    }

    private async Task IsArchivedAsync(string survey, byte[] statement)
    {
        Assert.Equal(statement, await File.ReadAllBytesAsync(
            Path.Combine(site.Installation.Archive, "results", survey, "statement.json"), Cancel));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("01")]
    [InlineData("x")]
    [InlineData("999999999")]
    public async Task There_is_none_of_another_survey(string survey)
    {
        var (status, _, answer) = await site.GetAsync($"/v1/audit/results/{survey}");
        Assert.Equal(404, status);
        Assert.True(answer.Headers.CacheControl?.NoStore);
    }

    [Fact]
    public void A_statement_that_was_altered_or_signed_by_another_is_not_opened()
    {
        var signer = Signers.Log("voting.test/events");
        var facts = new FinalFacts(3, 2, [(1, 2)], new Dictionary<int, long> { [0] = 5 }, "a.b.c");
        var at = new DateTimeOffset(2026, 1, 15, 10, 30, 0, TimeSpan.Zero);
        var counted = new CountedAt("events", 4, new("voting.test/events", 7, TreeHash.Empty));
        var statement = ResultStatement.Sign(new(7, "events", 6, TreeHash.Empty, []), facts, [counted], at, signer);

        Assert.True(ResultStatement.TryOpen(statement, [signer.Verifier], out var payload));
        using var json = JsonDocument.Parse(payload);
        Assert.Equal("7", json.RootElement.GetProperty("survey").GetString());
        Assert.False(ResultStatement.TryOpen(statement, [Signers.Log("voting.test/votes-00").Verifier], out _));
        Assert.False(ResultStatement.TryOpen(statement, [Signers.Log("voting.test/events", 1).Verifier], out _));
        for (var i = 0; i < statement.Length; i++)
        {
            var altered = statement.ToArray();
            altered[i] ^= 1;
            if (ResultStatement.TryOpen(altered, [signer.Verifier], out var other)) Assert.Equal(payload, other);
            Assert.False(ResultStatement.TryOpen(statement.AsMemory(0, i), [signer.Verifier], out _));
        }
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("x")]
    [InlineData("""{"data":{"version":1,"ballots":"1"}}""")]
    public void An_end_that_cannot_be_read_is_said_to_be_that(string text) => Assert.Throws<InvalidDataException>(
        () => FinalFacts.Of(System.Text.Encoding.UTF8.GetBytes(text.ToString(CultureInfo.InvariantCulture))));
}
