using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Audit;

/// <summary>
/// Keeps the archive below a directory. Read-only files, never rewritten by us; but whoever may write to the directory
/// may delete them, so this proves nothing against its owner.
/// </summary>
/// <remarks>
/// A version's id is the digest of its bytes, in hexadecimal: listing reads every file. The first version of a key lies
/// at the key. Other bytes for the same key never replace it: they lie beside it, in a file of the same name with
/// <c>.version-</c> and their digest behind it.
/// </remarks>
internal sealed class DirectoryArchive(string root) : IArchiveStore
{
    private const string Beside = ArchiveKey.VersionMark;
    private const string Incoming = ".incoming";

    // Everybody who may enter the directory may read, nobody may write.
    private const UnixFileMode ReadOnly = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>The directory, as an absolute path.</summary>
    public string Root { get; } = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));

    /// <summary>
    /// Makes the directory if it is not there, sees whether it can be written to, and removes what is left of puts
    /// whose process ended in the middle.
    /// </summary>
    /// <exception cref="ArchiveStoreException">It cannot.</exception>
    public void RequireWritable()
    {
        try
        {
            var incoming = Path.Combine(Root, Incoming);
            MakeDirectory(incoming);
            var trial = Path.Combine(incoming, Guid.NewGuid().ToString("N"));
            File.WriteAllBytes(trial, []);
            File.Delete(trial);
            IncomingFiles.RemoveLeftovers(incoming);
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            throw new ArchiveStoreException(
                $"Archive in {Root}: it cannot be written to: {e.Message.ReplaceLineEndings(" ")}", false, e);
        }
    }

    public async Task<ArchivedVersion> PutAsync(
        string key, ReadOnlyMemory<byte> content, string contentType, CancellationToken cancel)
    {
        ArchiveKey.Require(key);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(content.Length, ArchiveKey.ContentSizeBytesMax);
        var digest = SHA256.HashData(content.Span);
        var version = Convert.ToHexStringLower(digest);
        try
        {
            var path = PathOf(key);
            MakeDirectory(Path.GetDirectoryName(path)!);
            if (!await HoldsAsync(path, digest, cancel) && !await TryStoreAsync(path, content, cancel)
                && !await HoldsAsync(path, digest, cancel))
            {
                var other = $"{path}{Beside}{version}";
                if (!await TryStoreAsync(other, content, cancel) && !await HoldsAsync(other, digest, cancel))
                    throw new ArchiveStoreException($"Archive in {Root}: somebody changed {other}.", false);
            }

            // Also where the file was there before: whoever wrote it may have ended before this.
            for (var above = Path.GetDirectoryName(path)!; above.Length >= Root.Length;
                above = Path.GetDirectoryName(above) ?? "")
            {
                DirectorySync.Flush(above);
            }

            return new(key, version, content.Length);
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            throw Failed($"{key} could not be written", e);
        }
    }

    public async Task<ArchivedContent?> ReadAsync(string key, string versionId, CancellationToken cancel)
    {
        ArchiveKey.Require(key);
        try
        {
            var path = PathOf(key);
            var first = await ReadFileAsync(path, cancel);
            if (first is not null && Convert.ToHexStringLower(first.Digest) == versionId) return first;
            // The version lies beside the first one; if not there, it was the first one, and its bytes were changed.
            return IsDigest(versionId) ? await ReadFileAsync($"{path}{Beside}{versionId}", cancel) ?? first : null;
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            throw Failed($"{key} could not be read", e);
        }
    }

    public async IAsyncEnumerable<ArchivedVersion> ListAsync(
        string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var file in Files("", prefix))
        {
            cancel.ThrowIfCancellationRequested();
            foreach (var version in await VersionsAsync(file, cancel)) yield return version;
        }
    }

    public IAsyncEnumerable<string> FoldersAsync(string above, CancellationToken cancel)
    {
        ArchiveKey.Require(above);
        return Entries(above).OfType<DirectoryInfo>().Select(folder => folder.Name).Order(StringComparer.Ordinal)
            .ToAsyncEnumerable();
    }

    public async Task<ArchivedCheckpoint?> NewestCheckpointAsync(
        string log, long after, long before, CancellationToken cancel)
    {
        ArchiveKey.Require(log);
        if (before - after == 2)
        {
            // One is not searched for among all.
            var only = await VersionsAsync(ArchiveKey.Checkpoint(log, after + 1), cancel);
            return only.Count > 0 ? new(after + 1, only) : null;
        }

        var numbers = new List<long>();
        foreach (var folder in Entries(log))
        {
            if (folder is DirectoryInfo && ArchiveKey.TryReadNumber(log, $"{log}/{folder.Name}/", out var number)
                && number > after && number < before)
            {
                numbers.Add(number);
            }
        }

        foreach (var number in numbers.OrderDescending())
        {
            var key = ArchiveKey.Checkpoint(log, number);
            var versions = await VersionsAsync(key, cancel);
            if (versions.Count > 0) return new(number, versions);
        }

        return null;
    }

    /// <summary>Keys below a directory that begin with the prefix, in the order of their bytes.</summary>
    private IEnumerable<string> Files(string directory, string prefix)
    {
        // A directory sorts as what its keys have in common, the slash included.
        var names = Entries(directory)
            .Select(entry => (directory.Length == 0 ? "" : $"{directory}/")
                + (entry is DirectoryInfo ? $"{entry.Name}/" : entry.Name.Split(Beside)[0]))
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (!name.EndsWith('/'))
            {
                if (name.StartsWith(prefix, StringComparison.Ordinal)) yield return name;
            }
            else if (name.StartsWith(prefix, StringComparison.Ordinal)
                || prefix.StartsWith(name, StringComparison.Ordinal))
            {
                foreach (var file in Files(name[..^1], prefix)) yield return file;
            }
        }
    }

    private FileSystemInfo[] Entries(string directory)
    {
        try
        {
            return new DirectoryInfo(PathOf(directory)).GetFileSystemInfos()
                .Where(entry => !entry.Name.StartsWith('.')).ToArray();
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            throw Failed($"'{directory}' could not be listed", e);
        }
    }

    /// <summary>Of one key, newest first; none when there is no such key.</summary>
    private async Task<IReadOnlyList<ArchivedVersion>> VersionsAsync(string key, CancellationToken cancel)
    {
        try
        {
            var path = PathOf(key);
            var directory = new DirectoryInfo(Path.GetDirectoryName(path)!);
            if (!directory.Exists) return [];
            var versions = directory.GetFiles($"{Path.GetFileName(path)}{Beside}*")
                .OrderByDescending(file => file.LastWriteTimeUtc).ThenBy(file => file.Name, StringComparer.Ordinal)
                .Select(file => new ArchivedVersion(key, file.Name.Split(Beside)[1], file.Length)).ToList();
            if (await DigestAsync(path, cancel) is var (digest, sizeBytes))
                versions.Add(new(key, Convert.ToHexStringLower(digest), sizeBytes));
            return versions;
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            throw Failed($"{key} could not be listed", e);
        }
    }

    /// <summary>Puts a new file there, whole and durable or not at all.</summary>
    /// <returns>False when there was one already; it is left as it is.</returns>
    private async Task<bool> TryStoreAsync(string path, ReadOnlyMemory<byte> content, CancellationToken cancel)
    {
        var incoming = Path.Combine(Root, Incoming);
        MakeDirectory(incoming);
        var written = Path.Combine(incoming, Guid.NewGuid().ToString("N"));
        try
        {
            await using (var file = new FileStream(written, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                // Locked: so another process sees that it is no leftover.
                Share = FileShare.None,
                BufferSize = 0,
                Options = FileOptions.Asynchronous,
                PreallocationSize = content.Length,
            }))
            {
                await file.WriteAsync(content, cancel);
                if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(file.SafeFileHandle, ReadOnly);
                file.Flush(flushToDisk: true);
            }

            // Not over a file that somebody put there meanwhile.
            File.Move(written, path, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            return false;
        }
        finally
        {
            File.Delete(written);
        }
    }

    private static async Task<bool> HoldsAsync(string path, byte[] digest, CancellationToken cancel) =>
        await DigestAsync(path, cancel) is var (there, _) && there.AsSpan().SequenceEqual(digest);

    private static async Task<(byte[] Digest, long SizeBytes)?> DigestAsync(string path, CancellationToken cancel)
    {
        try
        {
            await using var file = File.OpenRead(path);
            return (await SHA256.HashDataAsync(file, cancel), file.Length);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static async Task<ArchivedContent?> ReadFileAsync(string path, CancellationToken cancel)
    {
        try
        {
            var bytes = await File.ReadAllBytesAsync(path, cancel);
            return new(bytes, SHA256.HashData(bytes));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Makes it and what is missing above it, each durable in the one above.</summary>
    private static void MakeDirectory(string path)
    {
        if (Directory.Exists(path)) return;
        var above = Path.GetDirectoryName(path)!;
        MakeDirectory(above);
        Directory.CreateDirectory(path);
        DirectorySync.Flush(above);
    }

    private string PathOf(string key) => key.Length == 0 ? Root : Path.Combine(Root, key);

    private static bool IsDigest(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigitLower);

    private static bool IsOfDisk(Exception e) =>
        e is IOException and not ArchiveStoreException or UnauthorizedAccessException;

    private ArchiveStoreException Failed(string what, Exception e) => new(
        $"Archive in {Root}: {what}: {e.Message.ReplaceLineEndings(" ")}", e is not UnauthorizedAccessException, e);
}
