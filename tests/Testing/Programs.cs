using System.Runtime.InteropServices;

namespace Testing;

/// <summary>Where the programs lie that tests run: published or built from this clone.</summary>
public static class Programs
{
    /// <summary>
    /// <c>voting-host</c>: the one that <c>VOTING_HOST</c> names, else the newer of the published and the built one.
    /// </summary>
    /// <exception cref="FileNotFoundException">There is none; says how to build it.</exception>
    public static string Host => Find("voting-host", "Host", "VOTING_HOST");

    /// <summary><c>voting-sandbox</c>, found in the same way; <c>VOTING_SANDBOX</c>.</summary>
    /// <exception cref="FileNotFoundException">There is none; says how to build it.</exception>
    public static string Sandbox => Find("voting-sandbox", "Sandbox", "VOTING_SANDBOX");

    /// <summary><c>voting-demo</c>, found in the same way; <c>VOTING_DEMO</c>.</summary>
    /// <exception cref="FileNotFoundException">There is none; says how to build it.</exception>
    public static string Demo => Find("voting-demo", "Demo", "VOTING_DEMO");

    /// <summary><c>voting-kafka-mock</c>, found in the same way; <c>VOTING_KAFKA_MOCK</c>.</summary>
    /// <exception cref="FileNotFoundException">There is none; says how to build it.</exception>
    public static string KafkaMock => Find("voting-kafka-mock", "KafkaMock", "VOTING_KAFKA_MOCK");

    /// <summary><c>voting-bench</c>, found in the same way; <c>VOTING_BENCH</c>.</summary>
    /// <exception cref="FileNotFoundException">There is none; says how to build it.</exception>
    public static string Bench => Find("voting-bench", "Bench", "VOTING_BENCH");

    /// <summary><c>voting-witness</c>, found in the same way; <c>VOTING_WITNESS</c>.</summary>
    /// <exception cref="FileNotFoundException">There is none; says how to build it.</exception>
    public static string Witness => Find("voting-witness", "Witness", "VOTING_WITNESS");

    /// <summary>Where this process's runtime lies: programs look in fixed places only, unless they are told.</summary>
    public static string DotnetRoot { get; } =
        Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

    /// <summary><c>voting-host</c> with a limit of its own on the files that it may have open.</summary>
    /// <param name="openFilesMax">Null: that of this process.</param>
    /// <param name="arguments">Of <c>voting-host</c>.</param>
    /// <returns>The program to start, which becomes <c>voting-host</c> with its process id, and arguments.</returns>
    public static (string Program, IEnumerable<string> Arguments) HostWith(
        int? openFilesMax, IEnumerable<string> arguments) => openFilesMax is { } max
        ? ("/bin/sh", ["-c", $"ulimit -n {max} && exec \"$0\" \"$@\"", Host, .. arguments])
        : (Host, arguments);

    private static string Find(string program, string project, string variable)
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } named)
        {
            return File.Exists(named) ? named : throw new FileNotFoundException($"{variable} names no file: {named}.");
        }

        var artifacts = Path.Combine(Repository.Root, "artifacts");
        string[] places =
        [
            Path.Combine(artifacts, "publish", program, program),
            Path.Combine(artifacts, "bin", project, "release", program),
            Path.Combine(artifacts, "bin", project, "debug", program),
        ];
        // An old published program would pass, or fail, for sources that are no longer there.
        return places.Where(File.Exists).MaxBy(place => File.GetLastWriteTimeUtc($"{place}.dll"))
            ?? throw new FileNotFoundException(
                $"There is no {program}: build its project {project}, or name it in {variable}.");
    }
}
