using System.Runtime.InteropServices;

namespace Audit;

/// <summary>Makes what was done to a directory survive a power cut; .NET can do that for files only.</summary>
internal static partial class DirectorySync
{
    private const int ReadOnly = 0;

    /// <exception cref="IOException">The system refused: the entries may not be durable.</exception>
    public static void Flush(string directory)
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
