using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Audit;

/// <summary>A log as <c>/v1/audit/logs</c> lists it.</summary>
/// <param name="Name">Such as <c>votes-07</c>.</param>
/// <param name="Origin">Its origin.</param>
/// <param name="Vkey">The key that the platform says it signs with.</param>
/// <param name="Prefix">Below it lie checkpoint and tiles: an absolute address.</param>
internal sealed record ListedLog(string Name, string Origin, VerifierKey Vkey, Uri Prefix);

/// <summary>A statement of a final result as a site serves it.</summary>
/// <param name="Survey">Whose.</param>
/// <param name="Address">Where.</param>
/// <param name="File">What; null when it is not served.</param>
internal sealed record ServedStatement(int Survey, Uri Address, byte[]? File);

/// <summary>Reads what logs show to everybody. Safe for use by many threads.</summary>
internal sealed class PublicReads(HttpClient http, Uri site, TimeProvider clock)
{
    private const int AnswerSizeBytesMax = 1024 * 1024;
    private const int PageCountMax = 1_000;
    private const int AttemptCountMax = 8;

    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(30);

    /// <exception cref="BrokenEvidenceException">The list is not as the contract says.</exception>
    public async Task<List<ListedLog>> LogsAsync(CancellationToken cancel)
    {
        var found = new List<ListedLog>();
        var address = new Uri(site, "/v1/audit/logs?limit=100");
        for (var page = 0; page < PageCountMax; page++)
        {
            var body = await GetAsync(address, cancel) ?? throw Malformed(address, "There is no list of logs.");
            try
            {
                using var json = JsonDocument.Parse(body);
                foreach (var item in json.RootElement.GetProperty("items").EnumerateArray()) found.Add(Read(item));
                if (found.DistinctBy(log => log.Name).Count() != found.Count)
                    throw Malformed(address, "The list of logs names one twice.");
                if (json.RootElement.GetProperty("next").GetString() is not { } next) return found;
                address = new(site, $"/v1/audit/logs?limit=100&cursor={Uri.EscapeDataString(next)}");
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException
                or FormatException)
            {
                throw Malformed(address, "The list of logs is malformed.");
            }
        }

        throw Malformed(address, "The list of logs does not end.");
    }

    /// <returns>Every statement of a result that is listed; null where the site lists none.</returns>
    /// <exception cref="BrokenEvidenceException">The list is not as the contract says.</exception>
    public async Task<List<ServedStatement>?> StatementsAsync(CancellationToken cancel)
    {
        var found = new List<ServedStatement>();
        var address = new Uri(site, "/v1/audit/results?limit=100");
        for (var page = 0; page < PageCountMax; page++)
        {
            var body = await GetAsync(address, cancel);
            if (body is null && page == 0) return null;
            try
            {
                using var json = JsonDocument.Parse(body);
                foreach (var item in json.RootElement.GetProperty("items").EnumerateArray())
                {
                    var survey = int.Parse(item.GetString()!, NumberStyles.None, CultureInfo.InvariantCulture);
                    var at = new Uri(site, string.Create(CultureInfo.InvariantCulture, $"/v1/audit/results/{survey}"));
                    found.Add(new(survey, at, await GetAsync(at, cancel)));
                }

                if (json.RootElement.GetProperty("next").GetString() is not { } next) return found;
                address = new(site, $"/v1/audit/results?limit=100&cursor={Uri.EscapeDataString(next)}");
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException
                or FormatException or OverflowException or ArgumentNullException)
            {
                throw Malformed(address, "The list of results is malformed.");
            }
        }

        throw Malformed(address, "The list of results does not end.");
    }

    /// <summary>Waits, by the clock that requests wait by.</summary>
    public Task PauseAsync(TimeSpan pause, CancellationToken cancel) => Task.Delay(pause, clock, cancel);

    /// <returns>The newest checkpoint.</returns>
    public async Task<SignedCheckpoint> CheckpointAsync(ListedLog log, CancellationToken cancel)
    {
        var address = Below(log, "checkpoint");
        var body = await GetAsync(address, cancel);
        return body is not null && SignedNote.TryParse(body, out var note)
            && SignedCheckpoint.TryParse(note.ToString(), out var checkpoint)
            ? checkpoint
            : throw new BrokenEvidenceException(new(
                log.Name, null, address.ToString(), Problems.CheckpointMalformed, "There is no checkpoint to read."));
    }

    /// <returns>
    /// The tile's bytes, cut to its width: a partial tile may be gone once the full one is there. Null when it is not
    /// served.
    /// </returns>
    public async Task<byte[]?> TileAsync(ListedLog log, TileId tile, int itemBytes, CancellationToken cancel)
    {
        var bytes = await GetAsync(Below(log, tile.Path), cancel);
        if (bytes is null && tile.Width < TileId.FullWidth)
            bytes = await GetAsync(Below(log, (tile with { Width = TileId.FullWidth }).Path), cancel);
        var sizeBytes = tile.Width * itemBytes;
        return bytes?.Length > sizeBytes ? bytes[..sizeBytes] : bytes;
    }

    public static Uri Below(ListedLog log, string path) => new($"{log.Prefix}/{path}");

    private ListedLog Read(JsonElement item)
    {
        var prefix = new Uri(site, item.GetProperty("prefix").GetString()!);
        // Another host's tiles would be another one's word.
        if (prefix.Authority != site.Authority || prefix.Scheme != site.Scheme) throw new FormatException("Elsewhere.");
        var (log, origin) = (item.GetProperty("log").GetString()!, item.GetProperty("origin").GetString()!);
        // What one name is checked for must not be another one's history.
        if (LogName.Of(origin) != log) throw new FormatException("The name of another log.");
        return VerifierKey.TryParse(item.GetProperty("vkey").GetString()!, out var key)
            ? new(log, origin, key, prefix)
            : throw new FormatException("No key.");
    }

    /// <summary>Asks, and asks again when told to come back later.</summary>
    /// <returns>Null when there is no such thing.</returns>
    /// <exception cref="HttpRequestException">The site did not answer, or refused.</exception>
    private async Task<byte[]?> GetAsync(Uri address, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            using var answer = await http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancel);
            if (answer.StatusCode is HttpStatusCode.NotFound) return null;
            if (answer.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable
                && attempt < AttemptCountMax)
            {
                await Task.Delay(PauseAfter(answer, attempt), clock, cancel);
                continue;
            }

            answer.EnsureSuccessStatusCode();
            await answer.Content.LoadIntoBufferAsync(AnswerSizeBytesMax, cancel);
            return await answer.Content.ReadAsByteArrayAsync(cancel);
        }
    }

    private static TimeSpan PauseAfter(HttpResponseMessage answer, int attempt)
    {
        var asked = answer.Headers.RetryAfter?.Delta ?? TimeSpan.FromMilliseconds(100 << attempt);
        return asked < PauseMax ? asked : PauseMax;
    }

    private static BrokenEvidenceException Malformed(Uri address, string detail) =>
        new(new("", null, address.ToString(), Problems.Unreadable, detail));
}
