using Audit;

namespace AuditTests;

/// <summary>An archive of which some objects are in cold storage.</summary>
internal sealed class ColdStore(IArchiveStore store, Func<string, bool> isCold) : IArchiveStore
{
    public Task<ArchivedVersion> PutAsync(
        string key, ReadOnlyMemory<byte> content, string contentType, CancellationToken cancel) =>
        store.PutAsync(key, content, contentType, cancel);

    public Task<ArchivedContent?> ReadAsync(string key, string versionId, CancellationToken cancel) => isCold(key)
        ? throw new ArchiveStoreException($"{key} is in cold storage.", false) { IsCold = true }
        : store.ReadAsync(key, versionId, cancel);

    public IAsyncEnumerable<ArchivedVersion> ListAsync(string prefix, CancellationToken cancel) =>
        store.ListAsync(prefix, cancel);

    public IAsyncEnumerable<string> FoldersAsync(string above, CancellationToken cancel) =>
        store.FoldersAsync(above, cancel);

    public Task<ArchivedCheckpoint?> NewestCheckpointAsync(
        string log, long after, long before, CancellationToken cancel) =>
        store.NewestCheckpointAsync(log, after, before, cancel);
}
