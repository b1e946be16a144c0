using System.Text.Json;
using Audit;
using Testing;

namespace AuditTests;

/// <summary>What is read of an archive in a bucket: proofs, events, statements, and all of it by the verb.</summary>
public sealed class S3ReadingTests(Postgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Votes_are_proved_exported_stated_and_verified_from_a_bucket()
    {
        var (server, bucket) = (await ObjectStore.SharedAsync(), await ObjectStores.NewBucketAsync());
        await using var site = new ReadingSite(postgres, new Dictionary<string, string>
        {
            ["Archive__S3__ServiceUrl"] = server.ServiceUrl.ToString(),
            ["Archive__S3__Bucket"] = bucket,
            ["Archive__S3__AccessKey"] = server.AccessKey,
            ["Archive__S3__SecretKey"] = server.SecretKey,
            ["Archive__S3__Region"] = server.Region,
            ["Archive__S3__RetentionDays"] = "1",
            ["Archive__S3__AllowShortRetention"] = "true",
        });
        await site.InitializeAsync();
        var survey = await site.OpenSurveyAsync();
        var (vote, entry) = await site.CastAsync(survey, 1);
        await site.CastAsync(survey, 0);

        await site.UntilAsync(async () => (await site.GetAsync($"/v1/votes/{vote}/proof")).Status == 200);
        using (var finish = await site.AskAsync(HttpMethod.Put, $"/v1/internal/surveys/{survey.Id}/finish", "manager"))
            finish.EnsureSuccessStatusCode();
        await site.UntilAsync(async () => (await site.GetAsync($"/v1/audit/results/{survey.Id}")).Status == 200);

        using var export = await site.AskAsync(
            HttpMethod.Get, $"/v1/internal/audit/events/export?vote={vote}&events=true", "auditor");
        var lines = (await export.Content.ReadAsStringAsync(Cancel)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains(lines, line => line.Contains($"\"entry\":\"{entry}\"", StringComparison.Ordinal)
            && line.Contains("\"event\":{\"specversion\":\"1.0\",\"type\":\"vote.submitted\"",
                StringComparison.Ordinal));

        var copy = Directory.CreateTempSubdirectory("voting-copy-");
        await CopyAsync(bucket, copy.FullName);
        await AssertVerifiedAsync(site, survey);
        await AssertVerifiedAsync(site, survey, "--directory", copy.FullName);
        copy.Delete(recursive: true);
    }

    private static async Task AssertVerifiedAsync(ReadingSite site, ReadingSurvey survey, params string[] where)
    {
        var said = await site.Installation.RunAsync(
            ["verify", .. where, "--jwks", new Uri(site.Public.BaseAddress!, ".well-known/jwks.json").ToString(),
                "--json"],
            Cancel);
        using var report = JsonDocument.Parse(said.Split('\n')[^1]);
        Assert.True(report.RootElement.GetProperty("verified").GetBoolean(), said);
        var found = Assert.Single(report.RootElement.GetProperty("surveys").EnumerateArray());
        Assert.Equal((survey.Id, 2, true, "verified", "verified"), (
            found.GetProperty("survey").GetString(), found.GetProperty("ballots").GetInt32(),
            found.GetProperty("final").GetBoolean(), found.GetProperty("statement").GetString(),
            found.GetProperty("stated").GetString()));
    }

    /// <summary>As any tool copies a bucket: the newest version of each object, under its name.</summary>
    private static async Task CopyAsync(string bucket, string directory)
    {
        using var link = await ObjectStores.LinkAsync(bucket);
        var store = new S3Archive(link, 1, TimeProvider.System);
        foreach (var key in await store.ListAsync("", Cancel).GroupBy(version => version.Key).ToListAsync(Cancel))
        {
            var newest = key.First();
            var path = Path.Combine(directory, newest.Key);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var content = await store.ReadAsync(newest.Key, newest.VersionId, Cancel);
            await File.WriteAllBytesAsync(path, content!.Bytes, Cancel);
        }
    }
}
