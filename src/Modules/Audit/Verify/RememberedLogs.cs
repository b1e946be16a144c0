using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Platform;

namespace Audit;

/// <summary>What a run saw of a log: what the next run must find again.</summary>
/// <param name="Origin">Which log.</param>
/// <param name="Size">Its entries then.</param>
/// <param name="Root">The root over them.</param>
/// <param name="Vkeys">The keys that it was signed with.</param>
internal sealed record RememberedLog(string Origin, long Size, string Root, IReadOnlyList<string> Vkeys);

/// <summary>
/// The file of <c>--remember</c>: the newest checkpoint of every log that a run verified. Safe for use by many threads.
/// </summary>
internal sealed partial class RememberedLogs
{
    private const int SizeBytesMax = 16 * 1024 * 1024;

    private readonly ConcurrentDictionary<
        string, (RememberedLog Log, Digest Root, IReadOnlyList<VerifierKey> Keys)> _logs = new(StringComparer.Ordinal);

    /// <summary>Every log with its keys.</summary>
    public IEnumerable<(string Origin, IReadOnlyList<VerifierKey> Keys)> Keys =>
        _logs.Select(pair => (pair.Key, pair.Value.Keys));

    /// <summary>Origins of all logs that were seen.</summary>
    public IReadOnlyCollection<string> Origins => [.. _logs.Keys];

    /// <summary>Reads the file; one that is not there yet remembers nothing.</summary>
    /// <exception cref="InvalidSettingsException">It is no such file.</exception>
    public static async Task<RememberedLogs> ReadAsync(string? path, CancellationToken cancel)
    {
        var remembered = new RememberedLogs();
        if (path is null || !File.Exists(path)) return remembered;
        try
        {
            if (new FileInfo(path).Length > SizeBytesMax) throw new JsonException("It is too large.");
            await using var file = File.OpenRead(path);
            var logs = await JsonSerializer.DeserializeAsync(file, Json.Default.IReadOnlyListRememberedLog, cancel);
            foreach (var log in logs ?? []) remembered.Add(log);
            return remembered;
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException)
        {
            throw new InvalidSettingsException($"{path} is no file of --remember: {e.Message}");
        }
    }

    /// <returns>Size and root of the log in the earlier run; null when it was not seen.</returns>
    public (long Size, Digest Root)? Find(string origin) =>
        _logs.TryGetValue(origin, out var seen) ? (seen.Log.Size, seen.Root) : null;

    /// <summary>Replaces what is remembered of a log.</summary>
    public void Set(string origin, long size, in Digest root, IReadOnlyList<VerifierKey> keys) => _logs[origin] =
        (new(origin, size, root.Base64, [.. keys.Select(key => key.ToString())]), root, keys);

    /// <summary>Writes the file anew, whole or not at all.</summary>
    public async Task WriteAsync(string path, CancellationToken cancel)
    {
        var written = $"{path}.new";
        await using (var file = File.Create(written))
        {
            IReadOnlyList<RememberedLog> logs =
                [.. _logs.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Value.Log)];
            await JsonSerializer.SerializeAsync(file, logs, Json.Default.IReadOnlyListRememberedLog, cancel);
            file.Flush(flushToDisk: true);
        }

        File.Move(written, path, overwrite: true);
    }

    private void Add(RememberedLog log)
    {
        if (log is not { Origin: not null, Vkeys: not null, Size: >= 0 }
            || !StrictText.TryDigest(log.Root, out var root))
        {
            throw new FormatException("A log in it is not whole.");
        }

        var keys = log.Vkeys.Select(text => VerifierKey.TryParse(text, out var key)
            ? key : throw new FormatException($"'{text}' is no verifier key.")).ToArray();
        if (!_logs.TryAdd(log.Origin, (log, root, keys))) throw new FormatException("A log stands in it twice.");
    }

    [JsonSerializable(typeof(IReadOnlyList<RememberedLog>))]
    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
    private sealed partial class Json : JsonSerializerContext;
}
