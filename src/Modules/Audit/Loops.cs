using Npgsql;

namespace Audit;

/// <summary>How the loops of the module's services run.</summary>
internal static class Loops
{
    /// <summary>Long enough that an outage of the database fills no log.</summary>
    internal static readonly TimeSpan FailurePause = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Runs loops side by side. Whichever ends takes the others with it, or nobody would see that it did.
    /// </summary>
    /// <param name="stop">Ends all.</param>
    /// <param name="loops">One at least; each ends when its token says so.</param>
    /// <exception cref="Exception">Whatever one of them threw.</exception>
    public static async Task RunAsync(CancellationToken stop, params IEnumerable<Func<CancellationToken, Task>> loops)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var running = loops.Select(loop => loop(end.Token)).ToArray();
        await Task.WhenAny(running);
        await end.CancelAsync();
        await Task.WhenAll(running);
    }

    /// <summary>Does round after round until told to stop. Outlives outages of the database, nothing else.</summary>
    /// <param name="round">Answers how long to wait for the next one.</param>
    /// <param name="interrupted">Told of an outage.</param>
    /// <param name="clock">Measures the waits.</param>
    /// <param name="stop">Ends it.</param>
    public static async Task RepeatAsync(
        Func<CancellationToken, Task<TimeSpan>> round, Action<Exception> interrupted, TimeProvider clock,
        CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            TimeSpan pause;
            try
            {
                pause = await round(stop);
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException)
            {
                interrupted(e);
                pause = FailurePause;
            }

            if (pause > TimeSpan.Zero) await Task.Delay(pause, clock, stop);
        }
    }
}
