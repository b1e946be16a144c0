using Audit;

namespace AuditTests;

/// <summary>An archive of which some objects are in cold storage, or refused.</summary>
internal sealed class ColdStore(IArchiveStore store, Func<string, string, bool> isOne, bool isCold = true)
    : IArchiveStore
{
    /// <param name="store">The archive.</param>
    /// <param name="isOne">Whether it is one of them, by its key.</param>
    /// <param name="isCold">Whether it could be restored.</param>
    public ColdStore(IArchiveStore store, Func<string, bool> isOne, bool isCold = true)
        : this(store, (key, _) => isOne(key), isCold)
    {
    }

    public Task<ArchivedVersion> PutAsync(
        string key, ReadOnlyMemory<byte> content, string contentType, CancellationToken cancel) =>
        store.PutAsync(key, content, contentType, cancel);

    public Task<ArchivedContent?> ReadAsync(string key, string versionId, CancellationToken cancel) =>
        isOne(key, versionId) ? throw new ArchiveStoreException($"{key} is not given.", false) { IsCold = isCold }
        : store.ReadAsync(key, versionId, cancel);

    public IAsyncEnumerable<ArchivedVersion> ListAsync(string prefix, CancellationToken cancel) =>
        store.ListAsync(prefix, cancel);

    public IAsyncEnumerable<string> FoldersAsync(string above, CancellationToken cancel) =>
        store.FoldersAsync(above, cancel);

    public Task<ArchivedCheckpoint?> NewestCheckpointAsync(
        string log, long after, long before, CancellationToken cancel) =>
        store.NewestCheckpointAsync(log, after, before, cancel);
}
