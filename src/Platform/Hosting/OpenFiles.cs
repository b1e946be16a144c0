using System.Globalization;

namespace Platform;

/// <summary>How many files, connections among them, a process may have open.</summary>
internal static class OpenFiles
{
    private const string Limits = "/proc/self/limits";

    // The program's own files, which stay open, are some 300; the rest is for databases, brokers and stores.
    private const int ReserveMin = 600;

    /// <summary>What this process may have open; null where the system does not say.</summary>
    /// <remarks>The runtime raises the limit at start as far as it may.</remarks>
    public static int? Max { get; } = File.Exists(Limits) ? Read(File.ReadLines(Limits)) : null;

    /// <returns>How many connections of clients it may have open, if what else it opens is to find room.</returns>
    public static int ConnectionCountMax(int openFilesMax) =>
        Math.Max(0, openFilesMax - Math.Max(ReserveMin, openFilesMax / 10));

    /// <param name="limits">Lines as of proc(5), <c>/proc/pid/limits</c>: name, soft limit, hard limit, unit.</param>
    internal static int? Read(IEnumerable<string> limits)
    {
        const string Name = "Max open files";
        if (limits.FirstOrDefault(line => line.StartsWith(Name, StringComparison.Ordinal)) is not { } line) return null;
        var soft = line[Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
        return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var max)
            ? (int)Math.Min(max, int.MaxValue) : null;
    }
}
