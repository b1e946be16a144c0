using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Audit;

namespace AuditTests;

/// <summary>A vote, from its receipt to what anybody can check, over HTTP.</summary>
[Collection(ReadingCollection.Name)]
public sealed class ProofTests(ReadingSite site, GoVerifier go)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_vote_is_proved_soon_and_its_proof_is_checked_by_others_code()
    {
        var survey = await site.OpenSurveyAsync();
        var (vote, entry) = await site.CastAsync(survey, 0);
        string proof = "";
        await site.UntilAsync(async () =>
        {
            var (status, body, answer) = await site.GetAsync($"/v1/votes/{vote}/proof");
            Assert.True(status is 200 or 404, Encoding.UTF8.GetString(body));
            if (status == 404) Assert.Equal(TimeSpan.FromSeconds(2), answer.Headers.RetryAfter?.Delta);
            else Assert.Equal("text/plain; charset=utf-8", answer.Content.Headers.ContentType?.ToString());
            proof = Encoding.UTF8.GetString(body);
            return status == 200;
        });

        Assert.True(LogProof.TryParse(proof, out var parsed));
        Assert.Equal(entry, Base64Url.EncodeToString(parsed.Extra));
        var log = parsed.Checkpoint.Checkpoint.Origin.Split('/')[^1];
        var key = await site.KeyAsync(log);
        Assert.Equal(LogProofVerdict.Verified, parsed.Verify(new Digest(parsed.Extra), [key], out _));
        // The first two bytes of a vote's id name its log.
        Assert.Equal($"votes-{Base64Url.DecodeFromChars(vote)[1]:00}", log);
        var named = await site.GetAsync($"/v1/votes/{vote}/proof?entry={entry}");
        Assert.True(LogProof.TryParse(Encoding.UTF8.GetString(named.Body), out var again));
        Assert.Equal((parsed.Index, 200), (again.Index, named.Status));

        await CheckWithGoAsync(log, proof, parsed, key);
        await HasNoProofOfOthersAsync(vote, entry);
    }

    [Theory]
    [InlineData("x")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAB")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAA==")]
    [InlineData("__8AAAAAAAAAAAAAAAAAAA")]
    [InlineData("ABAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAA'--")]
    public async Task What_can_be_no_votes_id_is_not_found(string vote)
    {
        var (status, body, answer) = await site.GetAsync($"/v1/votes/{vote}/proof");

        using var problem = JsonDocument.Parse(body);
        Assert.Equal((404, null), (status, answer.Headers.RetryAfter));
        Assert.Equal("https://errors.voting/not-found", problem.RootElement.GetProperty("type").GetString());
        Assert.True(answer.Headers.CacheControl?.NoStore);
    }

    private async Task HasNoProofOfOthersAsync(string vote, string entry)
    {
        var other = entry[0] == 'A' ? $"B{entry[1..]}" : $"A{entry[1..]}";
        var (status, _, answer) = await site.GetAsync($"/v1/votes/{vote}/proof?entry={other}");
        Assert.Equal((404, TimeSpan.FromSeconds(2)), (status, answer.Headers.RetryAfter?.Delta));
        // Of the same log, which has no such vote yet.
        var unknown = $"{vote[..3]}AAAAAAAAAAAAAAAAAAA";
        (status, _, answer) = await site.GetAsync($"/v1/votes/{unknown}/proof");
        Assert.Equal((404, TimeSpan.FromSeconds(2)), (status, answer.Headers.RetryAfter?.Delta));
        foreach (var query in new[] { "entry=x", $"entry={entry}&entry={entry}", "entry=", $"digest={entry}" })
        {
            (status, var body, _) = await site.GetAsync($"/v1/votes/{vote}/proof?{query}");
            using var problem = JsonDocument.Parse(body);
            Assert.Equal(400, status);
            Assert.True(problem.RootElement.GetProperty("errors").TryGetProperty(query.Split('=')[0], out _));
        }
    }

    /// <summary>Copies the log as everybody can, and has Go's packages check it with the proof.</summary>
    private async Task CheckWithGoAsync(string log, string text, LogProof proof, VerifierKey key)
    {
        var directory = Directory.CreateTempSubdirectory("voting-read-log-");
        try
        {
            var size = proof.Checkpoint.Checkpoint.Size;
            await WriteAsync("vkey", Encoding.UTF8.GetBytes(key.ToString()));
            await WriteAsync($"checkpoint-{size}", Encoding.UTF8.GetBytes(proof.Checkpoint.ToString()));
            await WriteAsync($"proof-{size}-{proof.Index}.tlog-proof", Encoding.UTF8.GetBytes(text));
            foreach (var tile in TileId.Of(size))
            {
                await WriteAsync(tile.Path, (await site.GetAsync($"/v1/audit/logs/{log}/{tile.Path}")).Body);
                if (tile.Level != 0) continue;
                var bundle = tile with { Level = TileId.EntriesLevel };
                await WriteAsync(bundle.Path, (await site.GetAsync($"/v1/audit/logs/{log}/{bundle.Path}")).Body);
            }

            var (code, output, errors) = await go.RunAsync(["check", directory.FullName], "");

            Assert.True(code == 0, errors);
            Assert.Equal($"checkpoint-1\nproof-1\nconsistency-0\nentries-{size}\n", output);
        }
        finally
        {
            directory.Delete(recursive: true);
        }

        async Task WriteAsync(string name, byte[] bytes)
        {
            var path = Path.Combine(directory.FullName, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, bytes, Cancel);
        }
    }
}
