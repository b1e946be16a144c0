using System.Runtime.InteropServices;
using System.Text;

namespace Witness;

/// <summary>Writes a small file so that a crash at any moment leaves the old one or the new one, whole.</summary>
internal static partial class DurableFile
{
    private const int ReadOnly = 0;

    /// <summary>Has returned only when the disk has the new file, under its name.</summary>
    /// <exception cref="IOException">The disk may have the old file or the new one.</exception>
    public static void Write(string path, string text, UnixFileMode mode)
    {
        var beside = $"{path}.new";
        File.Delete(beside);
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
        };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = mode;
        using (var file = new FileStream(beside, options))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        File.Move(beside, path, overwrite: true);
        SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    // .NET writes files to disk, and no directories: a new name would be lost with the power.
    private static void SyncDirectory(string directory)
    {
        var handle = Open(directory, ReadOnly);
        if (handle < 0) throw Failed(directory);
        try
        {
            if (Sync(handle) != 0) throw Failed(directory);
        }
        finally
        {
            _ = Close(handle);
        }
    }

    private static IOException Failed(string directory) =>
        new($"{directory} could not be written to disk: {Marshal.GetLastPInvokeErrorMessage()}.");

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int handle);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int handle);
}
