using System.Globalization;
using System.Text.Json;

namespace Demo;

/// <summary>Reads a survey's live results from beginning to end, and holds them to what streams promise.</summary>
internal sealed class LiveTally(Client client, Uri port, string survey, TimeProvider clock)
{
    private static readonly TimeSpan ReconnectDelay = TimeSpan.FromSeconds(1);

    private volatile Tally? _last;

    /// <summary>The newest tally; null until there is one.</summary>
    public Tally? Last => _last;

    /// <summary>Its version.</summary>
    public long Version { get; private set; } = -1;

    /// <summary>The newest status; null until there is one.</summary>
    public string? Status { get; private set; }

    /// <summary>How many tallies came.</summary>
    public int Count { get; private set; }

    /// <summary>How often the connection had to be opened again.</summary>
    public int Reconnects { get; private set; }

    /// <summary>What the stream did that it must not do.</summary>
    public List<string> Faults { get; } = [];

    /// <summary>Follows the stream until it ends with the final result.</summary>
    public async Task FollowAsync(CancellationToken cancel)
    {
        while (Status is not "final")
        {
            try
            {
                await ReadAsync(cancel);
            }
            catch (Exception e) when (Client.IsNoAnswer(e, cancel))
            {
                // A process that was killed ends its streams; readers come again.
            }

            if (Status is "final") return;
            Reconnects++;
            await Task.Delay(ReconnectDelay, clock, cancel);
        }
    }

    private async Task ReadAsync(CancellationToken cancel)
    {
        using var request = Requests.Get(port, $"/v1/surveys/{survey}/results/stream");
        request.Headers.Accept.Add(new("text/event-stream"));
        using var response = await client.OpenAsync(request, cancel);
        if (!response.IsSuccessStatusCode)
        {
            if ((int)response.StatusCode is not (429 or 503)) Faults.Add($"it answered {(int)response.StatusCode}");
            return;
        }

        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(cancel));
        var (name, data, id) = ("", "", "");
        var isFirst = true;
        var version = -1L;
        while (await lines.ReadLineAsync(cancel) is { } line)
        {
            if (line.Length > 0)
            {
                var colon = line.IndexOf(':', StringComparison.Ordinal);
                if (colon <= 0) continue;
                var value = line[(colon + 1)..].TrimStart(' ');
                if (line.StartsWith("event:", StringComparison.Ordinal)) name = value;
                else if (line.StartsWith("data:", StringComparison.Ordinal)) data = value;
                else if (line.StartsWith("id:", StringComparison.Ordinal)) id = value;
                continue;
            }

            if (name.Length > 0)
            {
                if (isFirst && name is not "status") Faults.Add($"it began with {name}");
                isFirst = false;
                version = Take(name, data, id, version);
            }

            (name, data, id) = ("", "", "");
        }
    }

    private long Take(string name, string data, string id, long before)
    {
        JsonElement json;
        try
        {
            json = JsonElement.Parse(data);
        }
        catch (JsonException)
        {
            Faults.Add($"an event is no JSON: {data}");
            return before;
        }

        if (name is "status") Status = json.GetProperty("status").GetString();
        if (name is not "tally") return before;

        var version = json.GetProperty("version").GetInt64();
        var tally = Tally.Of(json);
        if (version.ToString(CultureInfo.InvariantCulture) != id) Faults.Add($"version {version} came with id {id}");
        if (version < before) Faults.Add($"version {version} came after {before}");
        if (Status is "final" && _last is { } final && Version == version && tally.DiffersFrom(final) is { } difference)
            Faults.Add($"the final tally changed: {difference}");
        if (_last is { } last && version >= Version && tally.Ballots < last.Ballots)
            Faults.Add($"{tally.Ballots} ballots came after {last.Ballots}");
        _last = tally;
        Version = version;
        Count++;
        return version;
    }
}
