using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using Testing;

namespace ChaosTests;

/// <summary>More than a process can take, while the log takes nothing: what waits must be little and known.</summary>
[Collection(AcceptingSite.Name)]
public sealed class OverloadTests(Site site)
{
    private const int Room = 100;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Http__RequestCountMax")]
    [InlineData("Log__Postgres__QueueCountMax")]
    public async Task What_is_beyond_its_capacity_is_told_so_at_once_and_what_it_has_taken_is_kept(string limit)
    {
        var election = await site.PublishAsync();
        await using var small = await StartAsync(limit);
        await Site.KnowsAsync(small, election.Id);
        var voters = await site.VotersAsync(4 * Room);
        var late = (await site.VotersAsync(1))[0];
        var refused = 0;
        Task<Answer>[] casts;
        await using (var held = await HeldLock.TakeAsync(
            site.Database, "SELECT FROM platform.log_partitions WHERE topic = 'votes' FOR UPDATE"))
        {
            casts = [.. voters.Select(async (voter, i) =>
            {
                var answer = await election.CastAsync(small, voter, 1 + i % 255);
                if (answer.Status == 503) Interlocked.Increment(ref refused);
                return answer;
            })];
            // While the log still takes nothing. One commit of the log's may be under way besides those that wait.
            await Until.HoldsAsync("most are refused", () => Task.FromResult(refused >= Room));
            await Until.HoldsAsync("what was taken waits for the log", async () => (await held.HeldAsync()).Length > 0);
            using var answer = await RefusalAsync(small, election, late);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.Equal(TimeSpan.FromSeconds(1), answer.Headers.RetryAfter?.Delta);
            Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
            Assert.Contains("/overloaded", await answer.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
            using var health = await small.Management.GetAsync("/health/ready", Cancel);
            Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        }

        var answers = await Task.WhenAll(casts);
        Assert.All(answers, answer => Assert.Contains(
            (answer.Status, answer.Problem), new[] { (202, ""), (503, "overloaded") }));
        var accepted = answers.Count(answer => answer.Status == 202);
        Assert.InRange(accepted, 1, voters.Count - Room);
        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(accepted, ledger.Count(election, "counted"));

        // Whoever was turned away comes again.
        for (var i = 0; i < voters.Count; i++)
        {
            var again = await election.CastUntilKnownAsync(() => small, voters[i], 1 + i % 255);
            Assert.Equal(answers[i].Status == 202 ? 200 : 202, again.Status);
        }

        ledger = await site.AssertKeptAsync(election);
        Assert.Equal(voters.Count, ledger.Count(election, "counted"));
        Assert.False(small.HasExited, small.LastOutput);
    }

    /// <summary>With a heap that is too small for all that is sent to it at once.</summary>
    private Task<HostProcess> StartAsync(string limit) => site.Installation.StartHostAsync(
        "api",
        new Dictionary<string, string>
        {
            [limit] = Room.ToString(CultureInfo.InvariantCulture),
            ["DOTNET_GCHeapHardLimit"] = "0x6000000",
        },
        Cancel);

    private static async Task<HttpResponseMessage> RefusalAsync(
        HostProcess at, Election election, SignedInVoter voter)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/surveys/{election.Id}/votes");
        request.Headers.Authorization = new("Bearer", voter.AccessToken);
        request.Content = JsonContent.Create(election.Body(1));
        return await at.Public.SendAsync(request, Cancel);
    }
}
