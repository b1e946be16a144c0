using System.Text.Json.Serialization;

namespace Sandbox;

// The messages of the wire, typed from what the providers document and from the platform's contract.

/// <summary>A discovery document, of which the platform reads issuer and keys.</summary>
internal sealed record Configuration(
    [property: JsonPropertyName("issuer")] string Issuer,
    [property: JsonPropertyName("jwks_uri")] string JwksUri,
    [property: JsonPropertyName("response_types_supported")] string[] ResponseTypes,
    [property: JsonPropertyName("subject_types_supported")] string[] SubjectTypes,
    [property: JsonPropertyName("id_token_signing_alg_values_supported")] string[] SigningAlgorithms,
    [property: JsonPropertyName("scopes_supported")] string[] Scopes);

/// <summary>A JSON Web Key Set.</summary>
internal sealed record PublishedKeys(PublishedKey[] Keys);

/// <summary>An RSA key of a JSON Web Key Set.</summary>
internal sealed record PublishedKey(string Kty, string Use, string Alg, string Kid, string N, string E);

/// <summary>The head of a token.</summary>
internal sealed record TokenHeader(string Alg, string? Kid, string Typ = "JWT");

/// <summary>The claims of an ID token. Absent ones are left out, as the providers do.</summary>
internal sealed record Claims
{
    [JsonPropertyName("iss")] public required string Issuer { get; init; }

    [JsonPropertyName("aud")] public required string Audience { get; init; }

    /// <summary>Google only: to whom the token was issued.</summary>
    [JsonPropertyName("azp")] public string? AuthorizedParty { get; init; }

    [JsonPropertyName("sub")] public string? Subject { get; init; }

    [JsonPropertyName("nonce")] public string? Nonce { get; init; }

    /// <summary>Apple only: whether the platform on which the token was made supports the nonce.</summary>
    [JsonPropertyName("nonce_supported")] public bool? NonceSupported { get; init; }

    [JsonPropertyName("iat")] public long IssuedAt { get; init; }

    [JsonPropertyName("nbf")] public long? NotBefore { get; init; }

    [JsonPropertyName("exp")] public long? ExpiresAt { get; init; }

    [JsonPropertyName("email")] public string? Email { get; init; }

    /// <summary>A boolean from Google, a string from Apple.</summary>
    [JsonPropertyName("email_verified")] public object? EmailVerified { get; init; }

    /// <summary>Apple only: 0 unsupported, 1 unknown, 2 likely real.</summary>
    [JsonPropertyName("real_user_status")] public int? RealUserStatus { get; init; }

    /// <summary>Facebook only: the token's own id.</summary>
    [JsonPropertyName("jti")] public string? Id { get; init; }
}

/// <summary>A token for a person who tries the sign-in by hand, with what has to be sent beside it.</summary>
internal sealed record MintedToken(string Provider, string Subject, string Nonce, string IdToken);

/// <summary>The platform's sign-in by ID token.</summary>
internal sealed record SignInRequest(string IdToken, string Nonce);

/// <summary>What of the platform's answer a voter needs; also one line of the sandbox's answer.</summary>
internal sealed record Voter(string AccessToken, string RefreshToken, string VoterId);

/// <summary>The last line of an answer that broke off.</summary>
internal sealed record Failure(FailureReason Error);

/// <summary>Why no further voter came.</summary>
/// <param name="Status">What the platform answered; null when it did not answer.</param>
/// <param name="Detail">One line for a person.</param>
internal sealed record FailureReason(int? Status, string Detail);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Configuration))]
[JsonSerializable(typeof(PublishedKeys))]
[JsonSerializable(typeof(TokenHeader))]
[JsonSerializable(typeof(Claims))]
[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(MintedToken))]
[JsonSerializable(typeof(SignInRequest))]
[JsonSerializable(typeof(Voter))]
[JsonSerializable(typeof(Failure))]
internal sealed partial class Json : JsonSerializerContext;
