using System.Collections.Frozen;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace Identity;

/// <summary>The provider cannot be asked now, and without it nobody can tell.</summary>
internal sealed class ProviderUnavailableException(string provider, Exception? inner = null)
    : Exception($"{provider} does not answer.", inner);

/// <summary>How providers are asked.</summary>
internal sealed class ProviderHttp : IDisposable
{
    private readonly HttpClient _client = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    {
        // A voter is waiting; and a key set is a few KiB.
        Timeout = TimeSpan.FromSeconds(3),
        MaxResponseContentBufferSize = 256 * 1024,
    };

    /// <exception cref="HttpRequestException">No answer, or not 200, or too large.</exception>
    /// <exception cref="OperationCanceledException">No answer within 3 s, or the caller left.</exception>
    public Task<string> GetAsync(string address, CancellationToken cancel) => _client.GetStringAsync(address, cancel);

    public void Dispose() => _client.Dispose();
}

/// <summary>
/// A provider's signing keys, fetched when first needed and kept. Safe for use by many threads: one asks, the others
/// wait.
/// </summary>
internal sealed class ProviderKeys(
    ProviderHttp http, string provider, string authority, string? jwksAddress, IReadOnlyList<string> issuers,
    TimeProvider clock) : IDisposable
{
    /// <summary>After this the keys are asked for again, so that a withdrawn one is noticed.</summary>
    internal static readonly TimeSpan FreshFor = TimeSpan.FromHours(1);

    /// <summary>After this the keys are not used any more, should the provider not answer for so long.</summary>
    internal static readonly TimeSpan UsableFor = TimeSpan.FromHours(24);

    /// <summary>Tokens with made-up key ids must not have us ask the provider more often than this.</summary>
    internal static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(10);

    /// <summary>A provider that did not answer is left alone for so long: voters get their refusal at once.</summary>
    internal static readonly TimeSpan GiveUpFor = TimeSpan.FromSeconds(3);

    private readonly SemaphoreSlim _asking = new(1);
    private volatile Fetched? _fetched;
    private DateTimeOffset _failedAt;

    /// <returns>By <c>kid</c>.</returns>
    /// <exception cref="ProviderUnavailableException">There are none yet, or too old ones, and no answer.</exception>
    public async ValueTask<FrozenDictionary<string, SecurityKey>> GetAsync(CancellationToken cancel)
    {
        if (_fetched is { } fetched && Age(fetched) < FreshFor) return fetched.Keys;

        await _asking.WaitAsync(cancel);
        try
        {
            if (_fetched is { } meanwhile && Age(meanwhile) < FreshFor) return meanwhile.Keys;
            return (await AskAsync(cancel)).Keys;
        }
        catch (ProviderUnavailableException) when (_fetched is { } old && Age(old) < UsableFor)
        {
            return old.Keys;
        }
        finally
        {
            _asking.Release();
        }
    }

    /// <summary>Asks again, because a token names a key that is not among the known ones.</summary>
    /// <returns>Newer keys; or <paramref name="known"/> itself when it is too early to ask again.</returns>
    /// <exception cref="ProviderUnavailableException">The provider does not answer.</exception>
    public async ValueTask<FrozenDictionary<string, SecurityKey>> RenewAsync(
        FrozenDictionary<string, SecurityKey> known, CancellationToken cancel)
    {
        await _asking.WaitAsync(cancel);
        try
        {
            if (_fetched is { } fetched && (fetched.Keys != known || Age(fetched) < AskAgainAfter)) return fetched.Keys;
            return (await AskAsync(cancel)).Keys;
        }
        finally
        {
            _asking.Release();
        }
    }

    public void Dispose() => _asking.Dispose();

    private TimeSpan Age(Fetched fetched) => clock.GetUtcNow() - fetched.At;

    private async Task<Fetched> AskAsync(CancellationToken cancel)
    {
        if (clock.GetUtcNow() - _failedAt < GiveUpFor) throw new ProviderUnavailableException(provider);

        try
        {
            var address = jwksAddress ?? await DiscoverAsync(cancel);
            var keys = Parse(await http.GetAsync(address, cancel));
            return _fetched = new(keys, clock.GetUtcNow());
        }
        catch (Exception e) when (!cancel.IsCancellationRequested
            && e is HttpRequestException or OperationCanceledException or JsonException or ArgumentException
                or FormatException)
        {
            _failedAt = clock.GetUtcNow();
            throw new ProviderUnavailableException(provider, e);
        }
    }

    private async Task<string> DiscoverAsync(CancellationToken cancel)
    {
        using var document = JsonDocument.Parse(
            await http.GetAsync($"{authority}/.well-known/openid-configuration", cancel));
        if (document.RootElement.ValueKind is not JsonValueKind.Object
            || Text(document.RootElement, "issuer") is not { } issuer || !issuers.Contains(issuer)
            || Text(document.RootElement, "jwks_uri") is not { } address
            || !Uri.TryCreate(address, UriKind.Absolute, out var uri)
            || (uri.Scheme != Uri.UriSchemeHttps && !uri.IsLoopback))
        {
            throw new JsonException("The discovery document is not this provider's.");
        }

        return address;
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String
            ? value.GetString()
            : null;

    private static FrozenDictionary<string, SecurityKey> Parse(string json)
    {
        var keys = JsonWebKeySet.Create(json).Keys
            .Where(key => key is { Kty: "RSA", KeySize: >= 2048, Kid.Length: > 0, Use: null or "" or "sig" })
            .DistinctBy(key => key.Kid)
            .ToFrozenDictionary(key => key.Kid, SecurityKey (key) => key, StringComparer.Ordinal);
        return keys.Count > 0 ? keys : throw new JsonException("There is no key that could sign.");
    }

    private sealed record Fetched(FrozenDictionary<string, SecurityKey> Keys, DateTimeOffset At);
}
