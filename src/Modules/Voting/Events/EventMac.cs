using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using Platform;

namespace Voting;

/// <summary>
/// The last member of an event that only our own processes may write: <c>"mac"</c>, 16 bytes of HMAC-SHA-256 over all
/// bytes before it. Safe for use by many threads.
/// </summary>
internal sealed class EventMac(IEnumerable<byte[]> keys)
{
    private const int MacSizeBytes = 16;
    private const int MacTextLength = 22;

    private readonly MacKey[] _keys = [.. keys.Select(key => new MacKey(key))];

    /// <summary>The bytes of <c>,"mac":"…"}</c>: always the end of an event.</summary>
    private static readonly int TailSizeBytes = Opening.Length + MacTextLength + Closing.Length;

    private static ReadOnlySpan<byte> Opening => ",\"mac\":\""u8;

    private static ReadOnlySpan<byte> Closing => "\"}"u8;

    /// <summary>Ends an event: replaces the closing brace by the MAC and a closing brace.</summary>
    /// <param name="json">A whole JSON object.</param>
    public byte[] Seal(ReadOnlySpan<byte> json)
    {
        var head = json[..^1];
        var bytes = new byte[head.Length + TailSizeBytes];
        head.CopyTo(bytes);
        Span<byte> mac = stackalloc byte[MacKey.SizeBytes];
        _keys[0].Compute(head, mac);
        var tail = bytes.AsSpan(head.Length);
        Opening.CopyTo(tail);
        var status = Base64Url.EncodeToUtf8(mac[..MacSizeBytes], tail[Opening.Length..], out _, out _);
        if (status is not OperationStatus.Done)
            throw new System.Diagnostics.UnreachableException("The place for the MAC was measured.");
        Closing.CopyTo(tail[(Opening.Length + MacTextLength)..]);
        return bytes;
    }

    /// <returns>Whether the event ends in a MAC by one of our keys.</returns>
    public bool IsGenuine(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < TailSizeBytes) return false;
        var head = bytes[..^TailSizeBytes];
        var tail = bytes[^TailSizeBytes..];
        if (!tail.StartsWith(Opening) || !tail.EndsWith(Closing)) return false;

        Span<byte> given = stackalloc byte[MacSizeBytes + 2];
        if (Base64Url.DecodeFromUtf8(tail.Slice(Opening.Length, MacTextLength), given, out _, out var written)
            is not OperationStatus.Done || written != MacSizeBytes)
        {
            return false;
        }

        Span<byte> mac = stackalloc byte[MacKey.SizeBytes];
        foreach (var key in _keys)
        {
            key.Compute(head, mac);
            if (CryptographicOperations.FixedTimeEquals(mac[..MacSizeBytes], given[..MacSizeBytes])) return true;
        }

        return false;
    }
}
