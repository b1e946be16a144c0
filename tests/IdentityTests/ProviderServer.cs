using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace IdentityTests;

/// <summary>Stands in for an OpenID Connect provider at its wire, its bad days included.</summary>
internal sealed class ProviderServer : IAsyncDisposable
{
    public const string ClientId = "app-of-ours";
    public const string Nonce = "n-0S6_WzA2Mj";

    private readonly WebApplication _app;
    private readonly Clock _clock;
    private int _keyRequests;

    private ProviderServer(WebApplication app, Clock clock) => (_app, _clock) = (app, clock);

    /// <summary>Without a slash at the end; also the issuer.</summary>
    public string Address { get; private set; } = "";

    /// <summary>What it publishes and signs with; a test may put another one here.</summary>
    public ProviderKey Key { get; set; } = new();

    /// <summary>Answers 500 to everything, as long as it is true.</summary>
    public bool IsBroken { get; set; }

    /// <summary>What the discovery document says, when not the truth.</summary>
    public string? ClaimedIssuer { get; set; }

    /// <summary>How often the keys were asked for.</summary>
    public int KeyRequests => Volatile.Read(ref _keyRequests);

    public static async Task<ProviderServer> StartAsync(Clock clock)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var server = new ProviderServer(builder.Build(), clock);
        server._app.Use((context, next) =>
        {
            if (!server.IsBroken) return next(context);
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        });
        server._app.MapGet("/.well-known/openid-configuration", () => TypedResults.Text(
            $$"""{"issuer":"{{server.ClaimedIssuer ?? server.Address}}","jwks_uri":"{{server.Address}}/keys"}""",
            "application/json"));
        server._app.MapGet("/keys", () =>
        {
            Interlocked.Increment(ref server._keyRequests);
            return TypedResults.Text($$"""{"keys":[{{server.Key.Jwk()}}]}""", "application/json");
        });
        await server._app.StartAsync();
        server.Address = server._app.Urls.First();
        return server;
    }

    /// <summary>The claims of a token that is right.</summary>
    public JsonObject Claims(string subject)
    {
        var now = _clock.GetUtcNow().ToUnixTimeSeconds();
        return new()
        {
            ["iss"] = Address,
            ["aud"] = ClientId,
            ["azp"] = ClientId,
            ["sub"] = subject,
            ["nonce"] = Nonce,
            ["iat"] = now,
            ["exp"] = now + 3600,
            ["jti"] = Guid.NewGuid().ToString("N"),
        };
    }

    public string IdToken(string subject) => Key.Sign(Claims(subject));

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}

/// <summary>A provider's key pair.</summary>
internal sealed class ProviderKey
{
    private readonly RSA _rsa = RSA.Create(2048);

    public string KeyId { get; init; } = Guid.NewGuid().ToString("N");

    public byte[] PublicKeyPem => Encoding.ASCII.GetBytes(_rsa.ExportSubjectPublicKeyInfoPem());

    public string Jwk()
    {
        var key = _rsa.ExportParameters(false);
        var modulus = Base64Url.EncodeToString(key.Modulus);
        return $$"""{"kty":"RSA","use":"sig","alg":"RS256","kid":"{{KeyId}}","n":"{{modulus}}","e":"AQAB"}""";
    }

    public string Sign(JsonObject claims, string algorithm = "RS256", string? keyId = null, JsonObject? header = null)
    {
        var said = new JsonObject { ["alg"] = algorithm, ["kid"] = keyId ?? KeyId };
        foreach (var (name, value) in header ?? []) said[name] = value?.DeepClone();
        var signed = $"{Encode(said)}.{Encode(claims)}";
        var bytes = Encoding.ASCII.GetBytes(signed);
        var signature = algorithm switch
        {
            "none" => [],
            // The classic confusion: the public key, known to all, taken for a shared secret.
            "HS256" => HMACSHA256.HashData(PublicKeyPem, bytes),
            "RS384" => _rsa.SignData(bytes, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1),
            "PS256" => _rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
            _ => _rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
        };
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    private static string Encode(JsonObject json) =>
        Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(json));
}
