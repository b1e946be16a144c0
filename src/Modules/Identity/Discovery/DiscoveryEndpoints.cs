using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using Platform;

namespace Identity;

/// <summary>What others need in order to check what the platform signs: tokens, receipts, results.</summary>
internal static class DiscoveryEndpoints
{
    // Short enough that a new key is known before it has signed for long, long enough for a CDN to carry the load.
    private const string CacheFor5Minutes = "public, max-age=300, stale-while-revalidate=60";

    public static void MapDiscovery(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/.well-known/jwks.json", Keys)
            .OnListener(Listener.Public)
            .AllowAnonymous()
            .WithName("Jwks")
            .WithSummary("The public keys of all that the platform signs.")
            .Produces(200, contentType: "application/json");
        endpoints.MapGet("/.well-known/openid-configuration", Configuration)
            .OnListener(Listener.Public)
            .AllowAnonymous()
            .WithName("OpenIdConfiguration")
            .WithSummary("The issuer's metadata.")
            .Produces(200, contentType: "application/json");
    }

    private static FileContentHttpResult Keys(HttpContext context, KeyRing keys) => Write(context, json =>
    {
        json.WriteStartArray("keys");
        foreach (var key in keys.Published()) key.WriteJwk(json);
        json.WriteEndArray();
    });

    private static FileContentHttpResult Configuration(HttpContext context, IOptions<TokenOptions> tokens) =>
        Write(context, json =>
        {
            var issuer = tokens.Value.Issuer;
            json.WriteString("issuer", issuer);
            json.WriteString("jwks_uri", $"{issuer}/.well-known/jwks.json");
            json.WriteString("token_endpoint", $"{issuer}/v1/auth/refresh");
            Array("response_types_supported", "none");
            Array("grant_types_supported", "refresh_token");
            Array("subject_types_supported", "public");
            Array("id_token_signing_alg_values_supported", "RS256");
            Array("scopes_supported", "openid", "vote");
            Array("claims_supported", "iss", "sub", "aud", "exp", "iat", "nonce", "sid", "at_hash");

            void Array(string name, params string[] values)
            {
                json.WriteStartArray(name);
                foreach (var value in values) json.WriteStringValue(value);
                json.WriteEndArray();
            }
        });

    private static FileContentHttpResult Write(HttpContext context, Action<Utf8JsonWriter> members)
    {
        var body = new ArrayBufferWriter<byte>(2048);
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        context.Response.Headers.CacheControl = CacheFor5Minutes;
        return TypedResults.Bytes(body.WrittenSpan.ToArray(), "application/json");
    }
}
