using System.Security.Cryptography;
using System.Text;

namespace Witness;

/// <summary>Remembers of each log the checkpoint that was signed last. One process has a directory at a time.</summary>
internal sealed class Ledger : IDisposable
{
    private readonly string _directory;
    private readonly FileStream _alone;
    private readonly Dictionary<string, Page> _pages = [];

    private Ledger(string directory, FileStream alone) => (_directory, _alone) = (directory, alone);

    /// <exception cref="IOException">Another witness has the directory, or a file is not what was written.</exception>
    public static Ledger Open(string directory, IEnumerable<string> origins)
    {
        Directory.CreateDirectory(directory);
        var alone = new FileStream(
            Path.Combine(directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        var ledger = new Ledger(directory, alone);
        foreach (var origin in origins.Distinct())
        {
            var file = ledger.FileOf(origin);
            var newest = File.Exists(file) ? Note.Parse(File.ReadAllText(file)) : null;
            // To begin anew would be to sign a second tree of the same size.
            if (File.Exists(file) && newest?.Origin != origin)
                throw new IOException($"{file} is not the checkpoint of {origin} that was written there.");
            ledger._pages.Add(origin, new() { Newest = newest });
        }

        return ledger;
    }

    /// <returns>Null if the log is not one of those that are watched.</returns>
    public Page? this[string origin] => _pages.GetValueOrDefault(origin);

    /// <summary>Only under the page's lock. Has returned when the checkpoint would survive a power cut.</summary>
    public void Remember(Page page, Note note, string verbatim)
    {
        DurableFile.Write(
            FileOf(note.Origin), verbatim, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        page.Newest = note;
    }

    public void Dispose() => _alone.Dispose();

    private string FileOf(string origin) => Path.Combine(
        _directory, $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(origin)))}.checkpoint");

    /// <summary>One log.</summary>
    internal sealed class Page
    {
        public Note? Newest { get; set; }

        public SemaphoreSlim Lock { get; } = new(1);
    }
}
