using Testing;

namespace ChaosTests;

/// <summary>A process whose clock is minutes ahead of all others, the database's included.</summary>
[Collection(RacesSite.Name)]
public sealed class SkewedClockTests(Site site)
{
    private const int Ahead = 180;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_processes_whose_clocks_are_minutes_apart_close_a_survey_exactly()
    {
        await using var ahead = await site.Installation.StartHostAsync("api", FakeTime(Ahead), Cancel);
        await using var behind = await site.Installation.StartHostAsync("api", FakeTime(-Ahead), Cancel);
        var election = await site.PublishAsync();
        HostProcess[] hosts = [ahead, behind];
        foreach (var host in hosts) await Site.KnowsAsync(host, election.Id);
        Assert.True(await DateAsync(ahead, election) - await DateAsync(behind, election) > TimeSpan.FromSeconds(Ahead),
            "No clock was turned.");

        // Tokens of one process are taken by all: they carry their end alone, which comes that much sooner or later.
        SignedInVoter[] voters =
        [
            .. await site.Installation.NewVotersAsync(120, ahead, Cancel),
            .. await site.Installation.NewVotersAsync(120, site.First, Cancel),
        ];
        // Not so those of sign-in providers: one who lives in their past refuses what they issue.
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => site.Installation.NewVotersAsync(1, behind, Cancel));
        var accepted = 0;
        var casts = voters.Select(async (voter, i) =>
        {
            await Task.Delay(TimeSpan.FromMilliseconds(15 * i), Cancel);
            var answer = await election.CastUntilKnownAsync(() => hosts[i / 60 % 2], voter, 1 + i);
            if (answer.IsAccepted) Interlocked.Increment(ref accepted);
            else Assert.Equal((409, "survey-not-open"), (answer.Status, answer.Problem));
            return answer;
        }).ToArray();
        await Until.HoldsAsync("ballots come in", () => Task.FromResult(Volatile.Read(ref accepted) > 80));
        await site.StaffAsync(HttpMethod.Put, $"/v1/internal/surveys/{election.Id}/finish", null);
        var answers = await Task.WhenAll(casts);
        await Until.HoldsAsync("the result is final", async () => await site.ReadAsync<string>(
            $"SELECT status FROM voting.surveys WHERE id = {election.Id}") == "finished");

        var ledger = await site.AssertKeptAsync(election);
        Assert.Equal(accepted, ledger.Count(election, "counted"));
        for (var i = 0; i < voters.Length; i++)
        {
            if (!answers[i].IsAccepted) continue;
            Assert.Equal(new Answer(200, answers[i].Body), await election.CastAsync(hosts[0], voters[i], 1 + i));
            Assert.Equal(new Answer(200, answers[i].Body), await election.CastAsync(hosts[1], voters[i], 1 + i));
        }
    }

    private static async Task<DateTimeOffset> DateAsync(HostProcess host, Election election)
    {
        using var answer = await host.Public.GetAsync($"/v1/surveys/{election.Id}", Cancel);
        return answer.Headers.Date!.Value;
    }

    /// <summary>The wall clock alone: seconds are as long as any.</summary>
    private static Dictionary<string, string> FakeTime(int seconds)
    {
        const string library = "libfaketimeMT.so.1";
        string[] places = [.. Directory.GetDirectories("/usr/lib", "*-linux-gnu"), "/usr/lib", "/usr/lib64"];
        var found = places.Select(place => Path.Combine(place, "faketime", library)).FirstOrDefault(File.Exists);
        Assert.True(found is not null, $"There is no {library}. Debian, Ubuntu: apt-get install faketime.");
        return new()
        {
            ["LD_PRELOAD"] = found,
            ["FAKETIME"] = $"{seconds:+0;-0}s",
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
        };
    }
}
