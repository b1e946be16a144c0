namespace Audit;

/// <summary>
/// Where evidence is kept for years: objects under keys, of which each write makes a version that stays as it is.
/// </summary>
/// <remarks>
/// Not the key is guarded but the version: whoever may write can put another version under the same key. Record version
/// id and digest of what was put, read by them, and trust only what a signed checkpoint names. Safe to use from many
/// threads at once. What fails is an <see cref="ArchiveStoreException"/>.
/// </remarks>
internal interface IArchiveStore
{
    /// <summary>Keeps an object for good. Repeating it is harmless, with the same bytes or with others.</summary>
    /// <param name="key">As <see cref="ArchiveKey"/> makes them.</param>
    /// <param name="content">At most <see cref="ArchiveKey.ContentSizeBytesMax"/> bytes.</param>
    /// <param name="contentType">Its media type, for whoever looks at the store by other means.</param>
    /// <param name="cancel">Ends the wait; the object may be there all the same.</param>
    /// <returns>
    /// What was put, durable. The same bytes again may be the same version or one more; other bytes are always one
    /// more, and every version that was there before stays readable.
    /// </returns>
    /// <exception cref="ArchiveStoreException">It may be there or not: put it again.</exception>
    Task<ArchivedVersion> PutAsync(
        string key, ReadOnlyMemory<byte> content, string contentType, CancellationToken cancel);

    /// <summary>Reads one version.</summary>
    /// <returns>
    /// What is there, whatever it is: compare <see cref="ArchivedContent.Digest"/> with the digest that was recorded.
    /// Null when the store has no such version.
    /// </returns>
    /// <exception cref="ArchiveStoreException">The store did not say.</exception>
    Task<ArchivedContent?> ReadAsync(string key, string versionId, CancellationToken cancel);

    /// <summary>All versions of all keys that begin with a prefix, asked for page by page.</summary>
    /// <param name="prefix">Of keys; it may end anywhere. Empty: everything.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>By key, in the order of its bytes; of one key, the newest version first.</returns>
    /// <exception cref="ArchiveStoreException">The store did not say; what came before is right.</exception>
    IAsyncEnumerable<ArchivedVersion> ListAsync(string prefix, CancellationToken cancel);

    /// <summary>What there is directly below a part of the keys: below votes, each log of votes.</summary>
    /// <param name="above">What the keys begin with, without the slash that follows.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>
    /// The next part of every key that goes on behind that, once each, in the order of its bytes. There may be nothing
    /// left but markers of deletions.
    /// </returns>
    /// <exception cref="ArchiveStoreException">The store did not say; what came before is right.</exception>
    IAsyncEnumerable<string> FoldersAsync(string above, CancellationToken cancel);

    /// <summary>
    /// Finds the highest-numbered checkpoint of a log between two numbers: a few requests, however many there are.
    /// </summary>
    /// <param name="log">The log's keys begin with it and a slash, such as <c>votes/votes-07</c>.</param>
    /// <param name="after">Only higher numbers. At least 0: of which there is none.</param>
    /// <param name="before">Only lower numbers. Asking again with what was found finds the one below it.</param>
    /// <param name="cancel">Ends the search.</param>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="ArchiveStoreException">The store did not say.</exception>
    Task<ArchivedCheckpoint?> NewestCheckpointAsync(string log, long after, long before, CancellationToken cancel);
}

/// <summary>One version of an object.</summary>
/// <param name="Key">The object's name.</param>
/// <param name="VersionId">The version's name, given by the store; only together with the key.</param>
/// <param name="SizeBytes">Its length.</param>
internal sealed record ArchivedVersion(string Key, string VersionId, long SizeBytes);

/// <summary>What a version holds.</summary>
/// <param name="Bytes">As they are in the store now.</param>
/// <param name="Digest">SHA-256 of <paramref name="Bytes"/>, 32 bytes.</param>
internal sealed record ArchivedContent(byte[] Bytes, byte[] Digest)
{
    /// <summary>False when these are other bytes than the ones whose digest was recorded.</summary>
    public bool Is(ReadOnlySpan<byte> digest) => digest.SequenceEqual(Digest);
}

/// <summary>A checkpoint's number and whatever was put under its key; which version to trust, signatures say.</summary>
/// <param name="Number">1 or more.</param>
/// <param name="Versions">At least one; newest first.</param>
internal sealed record ArchivedCheckpoint(long Number, IReadOnlyList<ArchivedVersion> Versions);

/// <summary>
/// The store did not do what it was asked for. The message is one line for the operator, without secrets.
/// </summary>
internal sealed class ArchiveStoreException(string message, bool isTransient, Exception? inner = null)
    : IOException(message, inner)
{
    /// <summary>
    /// True when it may pass by itself: the store is down, slow or busy. False when somebody has to act first: the
    /// bucket is missing, the credentials are wrong. Either way nothing is lost by trying again.
    /// </summary>
    public bool IsTransient { get; } = isTransient;

    /// <summary>Whether the object is in cold storage, and only has to be restored before it is read.</summary>
    public bool IsCold { get; init; }
}
