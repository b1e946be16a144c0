using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>
/// The key that wraps all others: what is stored anywhere is stored wrapped. Safe for use by many threads.
/// </summary>
/// <remarks>Version (1 byte) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16), the purpose authenticated.</remarks>
public sealed class MasterKey(IOptions<KeyOptions> options)
{
    /// <summary>How much longer than the secret its wrapping is, in bytes.</summary>
    public const int OverheadBytes = 1 + NonceBytes + TagBytes;

    private const byte Version = 1;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    private readonly Lazy<byte[]> _key = new(() => Convert.FromBase64String(options.Value.MasterKey));

    /// <summary>Wraps a secret. Wrapping the same secret twice gives different bytes.</summary>
    /// <param name="secret">Any length.</param>
    /// <param name="purpose">What it is for: it is unwrapped for that purpose only.</param>
    public byte[] Wrap(ReadOnlySpan<byte> secret, string purpose)
    {
        var wrapped = new byte[OverheadBytes + secret.Length];
        wrapped[0] = Version;
        var nonce = wrapped.AsSpan(1, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var cipher = new AesGcm(_key.Value, TagBytes);
        cipher.Encrypt(
            nonce, secret, wrapped.AsSpan(1 + NonceBytes, secret.Length), wrapped.AsSpan(wrapped.Length - TagBytes),
            Encoding.UTF8.GetBytes(purpose));
        return wrapped;
    }

    /// <returns>The secret.</returns>
    /// <exception cref="CryptographicException">Altered, for another purpose, or by another master key.</exception>
    public byte[] Unwrap(ReadOnlySpan<byte> wrapped, string purpose)
    {
        if (wrapped.Length < OverheadBytes || wrapped[0] != Version)
            throw new CryptographicException("These bytes are no wrapping of a version that is known here.");

        var secret = new byte[wrapped.Length - OverheadBytes];
        using var cipher = new AesGcm(_key.Value, TagBytes);
        cipher.Decrypt(
            wrapped.Slice(1, NonceBytes), wrapped.Slice(1 + NonceBytes, secret.Length), wrapped[^TagBytes..], secret,
            Encoding.UTF8.GetBytes(purpose));
        return secret;
    }
}
