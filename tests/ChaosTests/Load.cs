using System.Collections.Concurrent;
using Testing;

namespace ChaosTests;

/// <summary>Voters who cast until they are told their vote's end, and whoever keeps the processes running.</summary>
internal sealed class Load(Site site, Election election, IReadOnlyList<SignedInVoter> voters)
{
    private const int Clients = 40;

    private int _next = -1;
    private int _accepted;

    /// <summary>Every answer that any client got on the way.</summary>
    public ConcurrentBag<Answer> Answers { get; } = [];

    /// <summary>How many voters' ballots are accepted by now.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>
    /// Casts all voters' ballots and brings a fault at each of several points of the way; processes that end are
    /// started again. Fails if a ballot is refused for good, or never meets an end.
    /// </summary>
    /// <param name="faults">How many.</param>
    /// <param name="faultAsync">Brings one; given its number.</param>
    public async Task RunAsync(int faults, Func<int, Task> faultAsync)
    {
        using var done = new CancellationTokenSource();
        site.IsKept = true;
        var keepers = Task.WhenAll(
            KeepAsync(() => site.First, site.StartFirstAsync, done.Token),
            KeepAsync(() => site.Second, site.StartSecondAsync, done.Token),
            KeepAsync(() => site.Consumer, site.StartConsumerAsync, done.Token));
        try
        {
            var clients = Enumerable.Range(0, Clients).Select(_ => CastAsync()).ToArray();
            for (var fault = 0; fault < faults; fault++)
            {
                var mark = voters.Count * (fault + 1) / (faults + 2);
                await Until.HoldsAsync($"{mark} ballots are accepted", () =>
                    Task.FromResult(Accepted >= mark || clients.Any(client => client.IsFaulted)));
                await faultAsync(fault);
            }

            await Task.WhenAll(clients);
            Assert.True(Answers.Any(answer => !answer.IsAccepted), "No request ever met a fault.");
            Assert.All(Answers, answer => Assert.Contains(answer.Status, new[] { 0, 200, 202, 500, 503 }));
            await site.SettleAsync();
            // A process that a fault has doomed may take its time to end: it must not do so when nobody keeps it.
            foreach (var host in new Func<HostProcess>[] { () => site.First, () => site.Second, () => site.Consumer })
                await Until.HoldsAsync("every process runs and is ready", () => IsReadyAsync(host()));
        }
        finally
        {
            await done.CancelAsync();
            await keepers;
            site.IsKept = false;
        }
    }

    private static async Task<bool> IsReadyAsync(HostProcess host)
    {
        try
        {
            using var answer = await host.Management.GetAsync("/health/ready", TestContext.Current.CancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private async Task CastAsync()
    {
        for (var i = Interlocked.Increment(ref _next); i < voters.Count; i = Interlocked.Increment(ref _next))
        {
            // Whoever hears nothing from one process asks the other.
            var tries = i;
            var answer = await election.CastUntilKnownAsync(
                () => tries++ % 2 == 0 ? site.First : site.Second, voters[i], 1 + i % 255, Answers.Add);
            Assert.True(answer.IsAccepted, answer.ToString());
            Interlocked.Increment(ref _accepted);
        }
    }

    /// <summary>Starts a process again whenever it has ended; none may end as if all were well.</summary>
    private static async Task KeepAsync(Func<HostProcess> current, Func<Task> startAsync, CancellationToken done)
    {
        while (!done.IsCancellationRequested)
        {
            try
            {
                Assert.NotEqual(0, await current().WaitForExitAsync(done));
                await StartAsync(startAsync, done);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>A process that finds no database ends, and is started again, as an orchestrator does it.</summary>
    private static async Task StartAsync(Func<Task> startAsync, CancellationToken done)
    {
        while (true)
        {
            try
            {
                await startAsync();
                return;
            }
            catch (ProcessFailedException) when (!done.IsCancellationRequested)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), done);
            }
        }
    }
}
