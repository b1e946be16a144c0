using System.Text.Json;

namespace EndToEndTests;

/// <summary>A reader of a stream of server-sent events.</summary>
internal sealed class EventStream : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _lines;

    private EventStream(HttpResponseMessage response, StreamReader lines) => (_response, _lines) = (response, lines);

    public string? Header(string name) => _response.Headers.NonValidated.TryGetValues(name, out var values)
        || _response.Content.Headers.NonValidated.TryGetValues(name, out values) ? values.ToString() : null;

    public static async Task<EventStream> OpenAsync(Site site, SampleSurvey survey, string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{survey.Public}/results/stream");
        request.Headers.Add("Accept", "text/event-stream");
        request.Headers.Add("Origin", "https://anybody.example");
        if (lastEventId is not null) request.Headers.Add("Last-Event-ID", lastEventId);
        var response = await site.Host.Public.SendAsync(
            request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)response.StatusCode);
        return new(response, new(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken)));
    }

    /// <returns>The next block that is no comment; null at the end of the stream.</returns>
    public async Task<StreamBlock?> NextAsync()
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(Site.Patience);
        var fields = new Dictionary<string, string>();
        while (await _lines.ReadLineAsync(deadline.Token) is { } line)
        {
            if (line.Length == 0 && fields.Count > 0) return new(fields);
            if (line.Length == 0 || line.StartsWith(':')) continue;
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            fields.Add(line[..colon], line[(colon + 1)..].TrimStart(' '));
        }

        Assert.Empty(fields);
        return null;
    }

    /// <returns>The rest of the stream, which ends by itself.</returns>
    public async Task<List<StreamBlock>> RestAsync()
    {
        var blocks = new List<StreamBlock>();
        while (await NextAsync() is { } block) blocks.Add(block);
        return blocks;
    }

    public void Dispose()
    {
        _lines.Dispose();
        _response.Dispose();
    }
}

/// <summary>What stands between two empty lines.</summary>
internal sealed record StreamBlock(Dictionary<string, string> Fields)
{
    public string? Event => Fields.GetValueOrDefault("event");

    public JsonElement Data => JsonDocument.Parse(Fields["data"]).RootElement;
}
