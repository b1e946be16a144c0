namespace Audit;

/// <summary>
/// Keeps the logs of a process from taking all of its memory and processors at once. Safe for use by many threads.
/// </summary>
/// <param name="options">How many may hold a large segment.</param>
/// <param name="clock">Measures waits.</param>
internal sealed class SealTurns(AuditOptions options, TimeProvider clock) : IDisposable
{
    private readonly SemaphoreSlim _filling = new(options.LargeSealCountMax);

    // Whatever else the process does keeps the other half.
    private readonly SemaphoreSlim _composing = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>Waits for a turn to gather a large segment; <see cref="EndFill"/> ends it.</summary>
    /// <returns>False if none came in time.</returns>
    public async ValueTask<bool> TryFillAsync(TimeSpan waitMax, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(waitMax, clock);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            await _filling.WaitAsync(end.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    public void EndFill() => _filling.Release();

    /// <summary>Waits for a turn to hash and compress; <see cref="EndComposing"/> ends it.</summary>
    public Task ComposeAsync(CancellationToken cancel) => _composing.WaitAsync(cancel);

    public void EndComposing() => _composing.Release();

    public void Dispose()
    {
        _filling.Dispose();
        _composing.Dispose();
    }
}
