namespace Platform;

/// <summary>Wakes one waiter; what was set before it waits is not lost. Set by any thread, awaited by one.</summary>
internal sealed class Signal(TimeProvider time)
{
    private TaskCompletionSource _set = New();

    public void Set() => Volatile.Read(ref _set).TrySetResult();

    /// <summary>Waits until it is set and resets it; or until <paramref name="waitMax"/> is over.</summary>
    /// <returns>Whether it was set. Cancelling ends the wait without an exception.</returns>
    public async ValueTask<bool> WaitAsync(TimeSpan waitMax, CancellationToken cancel)
    {
        var set = Volatile.Read(ref _set);
        if (!set.Task.IsCompleted)
            await set.Task.WaitAsync(waitMax, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        if (!set.Task.IsCompleted) return false;
        // Whatever is set from here on counts for the next wait; the waiter looks at what there is to do after this.
        Interlocked.Exchange(ref _set, New());
        return true;
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
