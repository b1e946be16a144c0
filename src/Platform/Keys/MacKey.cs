using System.Security.Cryptography;

namespace Platform;

/// <summary>
/// HMAC-SHA-256 (RFC 2104) under one key, which is set up once: for messages as short as ours that is half of the work.
/// Safe for use by many threads.
/// </summary>
/// <param name="key">Must not be changed afterwards.</param>
public sealed class MacKey(byte[] key)
{
    /// <summary>Bytes of a MAC.</summary>
    public const int SizeBytes = HMACSHA256.HashSizeInBytes;

    /// <summary>Stands where there is no key any more.</summary>
    public static MacKey None { get; } = new([]);

    private readonly IncrementalHash?[] _free = new IncrementalHash?[Environment.ProcessorCount];

    /// <summary>Whether there is no key.</summary>
    public bool IsEmpty => key.Length == 0;

    /// <summary>Computes a message's MAC.</summary>
    /// <param name="message">Any length.</param>
    /// <param name="mac">Takes <see cref="SizeBytes"/> bytes.</param>
    public void Compute(ReadOnlySpan<byte> message, Span<byte> mac)
    {
        // One a processor lies ready. Who finds none makes one, and it is dropped if there is one again by then.
        ref var ready = ref _free[Thread.GetCurrentProcessorId() % _free.Length];
        var hash = Interlocked.Exchange(ref ready, null)
            ?? IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hash.AppendData(message);
        hash.GetHashAndReset(mac);
        if (Interlocked.CompareExchange(ref ready, hash, null) is not null) hash.Dispose();
    }
}
