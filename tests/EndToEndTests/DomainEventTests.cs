using System.Text.Json;

namespace EndToEndTests;

/// <summary>What people did stands in the log, told with who did it, and no voter is named.</summary>
public sealed class DomainEventTests(Site site)
{
    private const string Events = """
        SELECT payload FROM platform.log_batches WHERE topic = 'domain-events' ORDER BY partition, first_offset
        """;

    [Fact]
    public async Task What_staff_and_voters_did_and_what_staff_were_refused_reaches_the_log()
    {
        var auditor = await site.Installation.StaffTokenAsync("auditor");
        var voter = await site.VoterAsync();
        var survey = await site.OpenSurveyAsync();
        (await site.Internal.DeleteAsync(survey.Internal, site.Manager)).IsProblem("survey-not-draft");
        (await site.Internal.PutAsync($"{survey.Internal}/finish", auditor)).IsProblem("forbidden");
        await site.FinishAsync(survey);

        var told = new List<JsonElement>();
        await Site.EventuallyAsync(async () =>
        {
            told = await ToldAsync();
            return Of("survey.finalized", survey.Id).Any() && Of("staff.refused", survey.Id).Count() == 2;
        });

        Assert.All(
            ["survey.created", "survey.published", "survey.finished"],
            type => Assert.Equal("operator-manager", Text(Assert.Single(Of(type, survey.Id)), "actor")));
        Assert.Equal(
            [("operator-auditor", 403), ("operator-manager", 409)],
            Of("staff.refused", survey.Id)
                .Select(one => (Text(one, "actor"), one.GetProperty("data").GetProperty("status").GetInt32())).Order());
        var final = Assert.Single(Of("survey.finalized", survey.Id)).GetProperty("data");
        Assert.Equal(16, final.GetProperty("fences").GetArrayLength());
        Assert.Equal(3, Text(final, "statement").Split('.').Length);
        Assert.Contains(told, one => Text(one, "type") == "staff.token-issued"
            && Text(one.GetProperty("data"), "role") == "auditor");
        Assert.Contains(told, one => Text(one, "type") == "user.registered");
        Assert.DoesNotContain(told, one => one.GetRawText().Contains(voter.VoterId, StringComparison.Ordinal));

        IEnumerable<JsonElement> Of(string type, string id) => told.Where(one => Text(one, "type") == type
            && one.GetProperty("data").TryGetProperty("survey", out var about) && about.GetString() == id);
    }

    /// <summary>Every event of the log: they stand in it as they are, between lengths and keys.</summary>
    private async Task<List<JsonElement>> ToldAsync()
    {
        await using var query = site.Installation.Database.Source.CreateCommand(Events);
        await using var rows = await query.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        var told = new List<JsonElement>();
        while (await rows.ReadAsync(TestContext.Current.CancellationToken))
        {
            var batch = rows.GetFieldValue<byte[]>(0).AsSpan();
            while (batch.IndexOf("{\"specversion\""u8) is >= 0 and var at)
            {
                var reader = new Utf8JsonReader(batch[at..], isFinalBlock: false, default);
                told.Add(JsonElement.ParseValue(ref reader));
                batch = batch[(at + (int)reader.BytesConsumed)..];
            }
        }

        return told;
    }

    private static string Text(JsonElement json, string member) => json.GetProperty(member).GetString()!;
}
