namespace Audit;

/// <summary>A directory needs no more than to be writable.</summary>
internal sealed class DirectoryArchiveAdmin(DirectoryArchive archive) : IArchiveAdmin
{
    public Task<IReadOnlyList<string>> InitAsync(CancellationToken cancel)
    {
        var isThere = Directory.Exists(archive.Root);
        archive.RequireWritable();
        return Task.FromResult<IReadOnlyList<string>>(isThere ? [] : [$"Made the directory {archive.Root}."]);
    }

    public Task<IReadOnlyList<string>> DifferencesAsync(CancellationToken cancel)
    {
        if (!Directory.Exists(archive.Root))
            return Task.FromResult<IReadOnlyList<string>>([$"There is no directory {archive.Root}."]);
        archive.RequireWritable();
        return Task.FromResult<IReadOnlyList<string>>([]);
    }

    public Task RequireAsync(CancellationToken cancel)
    {
        archive.RequireWritable();
        return Task.CompletedTask;
    }
}
