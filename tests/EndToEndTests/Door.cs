using System.Net.Http.Headers;
using System.Text;

namespace EndToEndTests;

/// <summary>
/// One listener of a process, and what can be sent to it. Whatever comes back keeps the rules of every answer.
/// </summary>
public sealed class Door(HttpClient client)
{
    /// <summary>Where it listens.</summary>
    public Uri Address => client.BaseAddress!;

    /// <summary>Sends a request as it is: the path is not put in order, no header is added.</summary>
    public async Task<Answer> SendAsync(
        string method, string path, string? token, HttpContent? content, params (string Name, string Value)[] headers)
    {
        var address = new Uri(
            $"http://{Address.Authority}{path}",
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(new(method), address) { Content = content };
        if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value)) request.Content!.Headers.Add(name, value);
        }

        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        return await Answer.ReadAsync($"{method} {path}", response, request.Headers.Contains("Authorization"));
    }

    public Task<Answer> GetAsync(string path, string? token = null, params (string Name, string Value)[] headers) =>
        SendAsync("GET", path, token, null, headers);

    public Task<Answer> PostAsync(
        string path, string? token, string json, params (string Name, string Value)[] headers) =>
        SendAsync("POST", path, token, Json(json), headers);

    public Task<Answer> PutAsync(string path, string? token, string? json = null) =>
        SendAsync("PUT", path, token, json is null ? null : Json(json));

    public Task<Answer> DeleteAsync(string path, string? token) => SendAsync("DELETE", path, token, null);

    public static ByteArrayContent Json(string json) => Bytes(Encoding.UTF8.GetBytes(json), "application/json");

    public static ByteArrayContent Bytes(byte[] bytes, string? contentType)
    {
        var content = new ByteArrayContent(bytes);
        if (contentType is not null) content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        return content;
    }
}
