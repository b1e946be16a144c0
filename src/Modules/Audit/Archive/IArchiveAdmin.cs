namespace Audit;

/// <summary>Sets the archive's store up and looks at whether it keeps what it promises.</summary>
internal interface IArchiveAdmin
{
    /// <summary>Makes what is missing, and sets what differs. Safe to repeat; deletes nothing.</summary>
    /// <returns>What was done, one sentence each; empty when nothing was to do.</returns>
    /// <exception cref="ArchiveStoreException">The store did not answer, or can never be an archive.</exception>
    Task<IReadOnlyList<string>> InitAsync(CancellationToken cancel);

    /// <summary>Compares the store with what the settings ask for; changes nothing.</summary>
    /// <returns>Every difference, one sentence each; empty when there is none.</returns>
    /// <exception cref="ArchiveStoreException">The store did not answer.</exception>
    Task<IReadOnlyList<string>> DifferencesAsync(CancellationToken cancel);

    /// <summary>What has to hold before anything is archived: whatever is put stays.</summary>
    /// <exception cref="ArchiveStoreException">
    /// It does not hold, and somebody has to act; or, transient, the store does not answer.
    /// </exception>
    Task RequireAsync(CancellationToken cancel);
}
