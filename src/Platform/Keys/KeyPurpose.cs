namespace Platform;

/// <summary>What a key can do.</summary>
public enum KeyAlgorithm
{
    /// <summary>Signs: RSA with 2,048 bits, PKCS #1 v1.5, SHA-256.</summary>
    Rs256,

    /// <summary>Signs: ECDSA on P-256 with SHA-256.</summary>
    Es256,

    /// <summary>32 random bytes, for MACs and encryption.</summary>
    Secret32,

    /// <summary>Signs: Ed25519 (RFC 8032). Never published in the JWKS: what it signs has a form of its own.</summary>
    Ed25519,
}

/// <summary>
/// A use that has keys of its own. Registered by the module that owns it (<see cref="KeySetup.AddKeyPurpose"/>);
/// its first key is made by the verb <c>migrate</c>.
/// </summary>
/// <param name="Name">Lower case, words joined by hyphens; at most 64 characters. Never changes.</param>
/// <param name="Algorithm">What its keys can do.</param>
/// <param name="Published">Whether the public halves stand in the JWKS. A secret is never published.</param>
public sealed record KeyPurpose(string Name, KeyAlgorithm Algorithm, bool Published);
