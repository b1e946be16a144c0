using System.Collections.Concurrent;
using Testing;

namespace ChaosTests;

[Collection(AcceptingSite.Name)]
public sealed class SessionsEndedTests(Site site)
{
    private const int Voters = 400;
    private const int Rounds = 2;

    [Fact]
    public async Task Ending_the_databases_sessions_under_load_loses_nothing_that_was_acknowledged()
    {
        var election = await site.PublishAsync();
        var voters = await site.VotersAsync(Voters);
        using var done = new CancellationTokenSource();
        site.IsKept = true;
        var keepers = Task.WhenAll(
            KeepAsync(() => site.First, site.StartFirstAsync, done.Token),
            KeepAsync(() => site.Second, site.StartSecondAsync, done.Token),
            KeepAsync(() => site.Consumer, site.StartConsumerAsync, done.Token));
        try
        {
            var answers = await CastAllAsync(election, voters);
            Assert.True(answers.Any(answer => !answer.IsAccepted), "No request ever met the fault.");
            Assert.All(answers, answer => Assert.Contains(answer.Status, new[] { 0, 200, 202, 503 }));
            var ledger = await site.AssertKeptAsync(election);
            Assert.Equal(Voters, ledger.Count(election, "counted"));
        }
        finally
        {
            await done.CancelAsync();
            await keepers;
            site.IsKept = false;
        }
    }

    /// <returns>Every answer that any client got on the way.</returns>
    private async Task<IReadOnlyCollection<Answer>> CastAllAsync(Election election, IReadOnlyList<SignedInVoter> voters)
    {
        var answers = new ConcurrentBag<Answer>();
        var (next, accepted) = (-1, 0);
        var load = Enumerable.Range(0, 40).Select(async client =>
        {
            for (var i = Interlocked.Increment(ref next); i < Voters; i = Interlocked.Increment(ref next))
            {
                var at = i;
                var answer = await election.CastUntilKnownAsync(
                    () => at % 2 == 0 ? site.First : site.Second, voters[i], 1 + i % 255, answers.Add);
                Assert.True(answer.IsAccepted, answer.ToString());
                Interlocked.Increment(ref accepted);
            }
        }).ToArray();
        for (var round = 1; round <= Rounds; round++)
        {
            var mark = Voters * round / (Rounds + 2);
            await Until.HoldsAsync($"{mark} ballots are accepted", () =>
                Task.FromResult(Volatile.Read(ref accepted) >= mark || load.Any(client => client.IsFaulted)));
            Assert.True(await EndSessionsAsync() > 0, "There was no session to end.");
        }

        await Task.WhenAll(load);
        return answers;
    }

    /// <summary>Starts a process again whenever it has ended; none may end as if all were well.</summary>
    private static async Task KeepAsync(Func<HostProcess> current, Func<Task> startAsync, CancellationToken done)
    {
        while (true)
        {
            try
            {
                Assert.NotEqual(0, await current().WaitForExitAsync(done));
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await startAsync();
        }
    }

    /// <summary>Ends the appenders', the counter's and everybody else's sessions, but for those of the test.</summary>
    private Task<long> EndSessionsAsync() => site.ReadAsync<long>("""
        SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'voting%'
        """);
}
