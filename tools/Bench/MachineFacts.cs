using System.Runtime.InteropServices;

namespace Bench;

/// <summary>What the figures were measured on, and that what was acknowledged was durable.</summary>
/// <param name="MemoryGigabytes">As the kernel counts it.</param>
/// <param name="LoadBefore">The kernel's load average of the minute before: of a quiet machine, well below 1.</param>
/// <param name="Durability">PostgreSQL's settings, each of which is on, or nothing would have been measured.</param>
/// <param name="DataFileSystem">What PostgreSQL's data lie on.</param>
internal sealed record MachineFacts(
    string Processor, int Cores, double MemoryGigabytes, string Kernel, string Dotnet, string Postgres,
    string DataFileSystem, double LoadBefore, IReadOnlyDictionary<string, string> Durability)
{
    public static async Task<MachineFacts> ReadAsync(Postgres postgres, CancellationToken cancel) => new(
        Processor: Value("/proc/cpuinfo", "model name"),
        Cores: Environment.ProcessorCount,
        MemoryGigabytes: Math.Round(long.Parse(Value("/proc/meminfo", "MemTotal").Split(' ')[0]) / 1048576.0, 1),
        Kernel: $"{RuntimeInformation.OSDescription}",
        Dotnet: $"{Environment.Version}",
        Postgres: await postgres.ShowAsync("server_version", cancel),
        DataFileSystem: FileSystemOf(await postgres.ShowAsync("data_directory", cancel)),
        LoadBefore: postgres.LoadBefore,
        Durability: postgres.Durability);

    public override string ToString() =>
        $"{Processor}, {Cores} cores, {MemoryGigabytes} GB; {Kernel}; .NET {Dotnet}; PostgreSQL {Postgres} on "
        + $"{DataFileSystem}; {string.Join(", ", Durability.Select(one => $"{one.Key} {one.Value}"))}; "
        + $"load before {LoadBefore}";

    private static string Value(string file, string name) => File.ReadLines(file)
        .FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? "0";

    private static string FileSystemOf(string directory) => File.ReadLines("/proc/mounts")
        .Select(line => line.Split(' '))
        .Where(mount => mount.Length > 2 && (mount[1] is "/" || directory == mount[1]
            || directory.StartsWith($"{mount[1]}/", StringComparison.Ordinal)))
        .MaxBy(mount => mount[1].Length)?[2] ?? "?";
}
