using System.ComponentModel.DataAnnotations;

namespace Results;

/// <summary>How results are shown. Section <c>Results</c>; a wrong value stops the launch.</summary>
internal sealed class ResultsOptions
{
    /// <summary>
    /// Shortest time between two frames of a survey. At the default no second holds more than four tallies on a
    /// connection, the current state that it gets at its beginning included.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.250", "00:00:01")]
    public TimeSpan FrameInterval { get; init; } = TimeSpan.FromMilliseconds(350);

    /// <summary>
    /// A connection that got nothing for so long gets a comment line. The contract says 15 s at most.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:00:13")]
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest time that one write may wait for its reader; then the connection is dropped.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:02:00")]
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a browser waits before it connects again.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:01:00")]
    public TimeSpan ReconnectDelay { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// A stream older than this is ended, and its reader connects again: so connections come to lie evenly on processes
    /// that were started later. The first ends after four fifths of it, so that those who came together do not leave
    /// together.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:10", "24:00:00")]
    public TimeSpan ConnectionAgeMax { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>
    /// Most streams open at once in a process; one more is refused. Each holds a file handle and about 10 KB.
    /// </summary>
    [Range(1, 1_000_000)]
    public int ConnectionCountMax { get; init; } = 18_000;

    /// <summary>
    /// Most of them for one client address, of IPv6 for a network of 64 bits; one more is refused. Many readers of one
    /// provider may share an address.
    /// </summary>
    [Range(1, 1_000_000)]
    public int ConnectionCountPerAddressMax { get; init; } = 2_000;

    /// <summary>
    /// The kernel's buffer for a stream, in bytes. What stands in it is sent even when it is out of date: smaller means
    /// that a slow reader is less behind, bigger that a large frame takes fewer round trips.
    /// </summary>
    [Range(4 * 1024, 1024 * 1024)]
    public int SendBufferSizeBytes { get; init; } = 16 * 1024;

    /// <summary>
    /// Most surveys held in memory at once, in use or lately used; a request for one more is refused.
    /// </summary>
    [Range(1, 1_000_000)]
    public int SurveyCountMax { get; init; } = 10_000;

    /// <summary>
    /// A survey that nobody has looked at for so long is dropped from memory, and loaded again on demand.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:05", "01:00:00")]
    public TimeSpan SurveyIdleTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a cache may answer with a result that still changes. Whole seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan LiveMaxAge { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a cache may answer with a final result. Whole seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan FinalMaxAge { get; init; } = TimeSpan.FromHours(1);
}
