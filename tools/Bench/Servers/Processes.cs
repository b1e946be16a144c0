using System.Globalization;

namespace Bench;

/// <summary>What the kernel knows of processes.</summary>
internal static class Processes
{
    // sysconf(_SC_CLK_TCK), which is 100 wherever Linux runs .NET.
    private const double MicrosecondsATick = 10_000;
    private const int Parent = 1, User = 11, System = 12, ChildrenUser = 13, ChildrenSystem = 14, Resident = 21;

    /// <returns>User and system time of the process so far, in microseconds, to 10 ms.</returns>
    public static double CpuMicroseconds(int processId)
    {
        var stat = Stat(processId) ?? throw new BrokenOffException($"Process {processId} has ended.");
        return (stat[User] + stat[System]) * MicrosecondsATick;
    }

    /// <returns>The same of a process and its children, ended ones included.</returns>
    public static double FamilyCpuMicroseconds(int processId)
    {
        var stat = Stat(processId) ?? throw new BrokenOffException($"Process {processId} has ended.");
        var ticks = stat[User] + stat[System] + stat[ChildrenUser] + stat[ChildrenSystem];
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                && Stat(id) is { } child && child[Parent] == processId)
            {
                ticks += child[User] + child[System];
            }
        }

        return ticks * MicrosecondsATick;
    }

    /// <returns>Memory that the process has in RAM, in bytes.</returns>
    public static long ResidentBytes(int processId) =>
        (Stat(processId) ?? throw new BrokenOffException($"Process {processId} has ended."))[Resident]
            * Environment.SystemPageSize;

    /// <returns>The parent's id.</returns>
    public static int? ParentOf(int processId) => (int?)Stat(processId)?[Parent];

    /// <returns>The numbers behind the name, from the state on (0); null when there is no such process.</returns>
    private static long[]? Stat(int processId)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{processId}/stat");
            // The name stands in brackets and may hold any character.
            return [.. text[(text.LastIndexOf(')') + 2)..].Split(' ').Select(field =>
                long.TryParse(field, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                    ? number : 0)];
        }
        catch (IOException)
        {
            return null;
        }
    }
}
