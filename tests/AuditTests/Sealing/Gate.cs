using System.Collections.Concurrent;
using Audit;

namespace AuditTests;

/// <summary>
/// The archive as a process reaches it: fails, or lets wait, what a test names. What stands behind it is a real store.
/// </summary>
internal sealed class Gate(IArchiveStore store) : IArchiveStore
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _waiting = new();

    /// <summary>Called before each request with what it is, such as <c>put segment</c>; it may refuse.</summary>
    public Func<string, string, CancellationToken, Task>? Before { get; set; }

    /// <summary>The same after each: the store has done it, and the process does not know.</summary>
    public Func<string, string, CancellationToken, Task>? After { get; set; }

    public Task<ArchivedVersion> PutAsync(
        string key, ReadOnlyMemory<byte> content, string contentType, CancellationToken cancel) =>
        PassAsync(key.EndsWith(".zst", StringComparison.Ordinal) ? "put segment" : "put checkpoint", key,
            () => store.PutAsync(key, content, contentType, cancel), cancel);

    public Task<ArchivedContent?> ReadAsync(string key, string versionId, CancellationToken cancel) =>
        PassAsync("read", key, () => store.ReadAsync(key, versionId, cancel), cancel);

    public IAsyncEnumerable<ArchivedVersion> ListAsync(string prefix, CancellationToken cancel) =>
        store.ListAsync(prefix, cancel);

    public IAsyncEnumerable<string> FoldersAsync(string above, CancellationToken cancel) =>
        store.FoldersAsync(above, cancel);

    public Task<ArchivedCheckpoint?> NewestCheckpointAsync(
        string log, long after, long before, CancellationToken cancel) =>
        PassAsync("ask", log, () => store.NewestCheckpointAsync(log, after, before, cancel), cancel);

    /// <summary>Lets whoever comes to a request of a log wait there for ever.</summary>
    /// <returns>When somebody has come.</returns>
    public Task HoldBefore(string request, string log)
    {
        var came = _waiting.GetOrAdd(request, _ => new());
        Before = (asked, key, cancel) => HoldAsync(asked == request && key.Contains(log), came, cancel);
        return came.Task;
    }

    /// <inheritdoc cref="HoldBefore"/>
    public Task HoldAfter(string request, string log)
    {
        var came = _waiting.GetOrAdd(request, _ => new());
        After = (asked, key, cancel) => HoldAsync(asked == request && key.Contains(log), came, cancel);
        return came.Task;
    }

    private static Task HoldAsync(bool isIt, TaskCompletionSource came, CancellationToken cancel)
    {
        if (!isIt) return Task.CompletedTask;
        came.TrySetResult();
        return Task.Delay(Timeout.Infinite, cancel);
    }

    private async Task<T> PassAsync<T>(string request, string key, Func<Task<T>> ask, CancellationToken cancel)
    {
        if (Before is { } before) await before(request, key, cancel);
        var answer = await ask();
        if (After is { } after) await after(request, key, cancel);
        return answer;
    }
}
