using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;

namespace Audit;

/// <summary>A SHA-256: an entry of a log, a hash of its tree, a link of its chain. Nothing is allocated.</summary>
internal readonly struct Digest : IEquatable<Digest>
{
    /// <summary>How many bytes each has.</summary>
    public const int Bytes = 32;

    /// <summary>Longest message, in bytes, that is put together on the stack: an event of usual length fits.</summary>
    private const int OnStackBytesMax = 1024;

    private readonly Vector256<byte> _value;

    /// <param name="bytes">Exactly <see cref="Bytes"/>.</param>
    /// <exception cref="ArgumentException">It is another number of bytes.</exception>
    public Digest(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Bytes) throw new ArgumentException($"A digest has {Bytes} bytes.", nameof(bytes));
        _value = Vector256.Create(bytes);
    }

    /// <summary>The bytes, in place: valid as long as the variable that this is.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Span => MemoryMarshal.AsBytes(new ReadOnlySpan<Vector256<byte>>(in _value));

    /// <summary>Canonical base64, 44 characters.</summary>
    public string Base64 => Convert.ToBase64String(Span);

    public static bool operator ==(Digest one, Digest other) => one.Equals(other);

    public static bool operator !=(Digest one, Digest other) => !one.Equals(other);

    /// <returns>The SHA-256 of a message.</returns>
    public static Digest Of(ReadOnlySpan<byte> message)
    {
        Span<byte> hash = stackalloc byte[Bytes];
        SHA256.HashData(message, hash);
        return new(hash);
    }

    /// <returns>The SHA-256 of a digest followed by a message: a link of a chain.</returns>
    public static Digest Of(in Digest first, ReadOnlySpan<byte> second)
    {
        var length = Bytes + second.Length;
        var rented = length > OnStackBytesMax ? ArrayPool<byte>.Shared.Rent(length) : null;
        var message = rented is null ? stackalloc byte[length] : rented.AsSpan(0, length);
        first.Span.CopyTo(message);
        second.CopyTo(message[Bytes..]);
        var hash = Of(message);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return hash;
    }

    /// <returns>The digests whose bytes stand one after the other.</returns>
    /// <exception cref="ArgumentException">They are no whole number of digests.</exception>
    public static ReadOnlySpan<Digest> Sequence(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length % Bytes != 0) throw new ArgumentException("A digest is cut off.", nameof(bytes));
        return MemoryMarshal.Cast<byte, Digest>(bytes);
    }

    /// <returns>The bytes of all, one after the other, in place.</returns>
    public static ReadOnlySpan<byte> BytesOf(ReadOnlySpan<Digest> digests) => MemoryMarshal.AsBytes(digests);

    public byte[] ToArray() => Span.ToArray();

    public bool Equals(Digest other) => _value == other._value;

    public override bool Equals(object? obj) => obj is Digest other && Equals(other);

    // The bytes are random already.
    public override int GetHashCode() => _value.AsInt32().ToScalar();

    public override string ToString() => Base64;
}
