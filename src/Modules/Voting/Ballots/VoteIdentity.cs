using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text;
using Platform;

namespace Voting;

/// <summary>16 bytes that compare by value: a voter key or a vote id.</summary>
internal readonly record struct Key16(UInt128 Value) : IComparable<Key16>
{
    /// <summary>Characters of base64url.</summary>
    public const int TextLength = 22;

    public static Key16 Of(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt128BigEndian(bytes));

    /// <summary>Reads the wire's form: 22 characters of base64url.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Key16 key)
    {
        Span<byte> bytes = stackalloc byte[16];
        key = default;
        if (!Base64Id.TryDecode(text, bytes)) return false;
        key = Of(bytes);
        return true;
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{char}, out Key16)"/>
    public static bool TryParse(ReadOnlySpan<byte> text, out Key16 key)
    {
        key = default;
        if (text.Length != TextLength) return false;
        Span<char> chars = stackalloc char[TextLength];
        // Byte by byte: one that is no ASCII becomes a sign that base64url has not.
        for (var i = 0; i < TextLength; i++) chars[i] = (char)text[i];
        return TryParse(chars, out key);
    }

    public byte[] ToBytes()
    {
        var bytes = new byte[16];
        Write(bytes);
        return bytes;
    }

    public void Write(Span<byte> to) => BinaryPrimitives.WriteUInt128BigEndian(to, Value);

    /// <summary>Writes what <see cref="ToString"/> says, in ASCII.</summary>
    public void WriteText(Span<byte> to)
    {
        Span<byte> bytes = stackalloc byte[16];
        Write(bytes);
        Base64Url.EncodeToUtf8(bytes, to);
    }

    public int CompareTo(Key16 other) => Value.CompareTo(other.Value);

    /// <returns>22 characters of base64url.</returns>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[16];
        Write(bytes);
        return Base64Url.EncodeToString(bytes);
    }
}

/// <summary>
/// What a ballot is known by. All of it follows from survey secret, ballot subject and ballot, so the same voter with
/// the same ballot is the same vote wherever and whenever it is sent.
/// </summary>
/// <param name="Partition">Of <c>votes</c>.</param>
/// <param name="VoterKey">The single-use key of this voter in this survey.</param>
/// <param name="VoteId">Two bytes partition, so that a vote's log is found by its id alone, then 112
/// bits of HMAC.</param>
/// <param name="Salt">Keeps the event's digest from being guessed from the few ballots there can be.</param>
internal readonly record struct VoteIdentity(int Partition, Key16 VoterKey, Key16 VoteId, Key16 Salt)
{
    public static VoteIdentity Of(MacKey secret, ReadOnlySpan<byte> subject, Ballot ballot, int partitions)
    {
        var (partition, voterKey) = VoterOf(secret, subject, partitions);
        Span<byte> input = stackalloc byte[1024];
        var sizeBytes = 17 + ballot.Canonical.Length;
        if (sizeBytes > input.Length) input = new byte[sizeBytes];
        input = input[..sizeBytes];
        voterKey.Write(input[1..]);
        ballot.Canonical.CopyTo(input[17..]);

        Span<byte> digest = stackalloc byte[MacKey.SizeBytes];
        input[0] = (byte)Purpose.VoteId;
        secret.Compute(input, digest);
        Span<byte> voteId = stackalloc byte[16];
        BinaryPrimitives.WriteUInt16BigEndian(voteId, (ushort)partition);
        digest[..14].CopyTo(voteId[2..]);
        input[0] = (byte)Purpose.Salt;
        secret.Compute(input, digest);
        return new(partition, voterKey, Key16.Of(voteId), Key16.Of(digest[..16]));
    }

    /// <returns>Partition and voter key alone.</returns>
    public static (int Partition, Key16 VoterKey) VoterOf(MacKey secret, ReadOnlySpan<byte> subject, int partitions)
    {
        Span<byte> input = stackalloc byte[1 + subject.Length];
        input[0] = (byte)Purpose.VoterKey;
        subject.CopyTo(input[1..]);
        Span<byte> digest = stackalloc byte[MacKey.SizeBytes];
        secret.Compute(input, digest);
        return (Buckets.Partition(Buckets.Of(subject), partitions), Key16.Of(digest[..16]));
    }

    /// <returns>The partition that a vote id names.</returns>
    public static int PartitionOf(Key16 voteId) => (int)(voteId.Value >> 112);

    /// <returns>What is kept of an idempotency key: 16 bytes that mean nothing outside this survey.</returns>
    public static Key16 OfIdempotencyKey(MacKey secret, string key)
    {
        Span<byte> input = stackalloc byte[65];
        input[0] = (byte)Purpose.IdempotencyKey;
        var sizeBytes = Encoding.ASCII.GetBytes(key, input[1..]);
        Span<byte> digest = stackalloc byte[MacKey.SizeBytes];
        secret.Compute(input[..(1 + sizeBytes)], digest);
        return Key16.Of(digest[..16]);
    }

    /// <returns>
    /// The id of the voter's session in this survey. No client can make an idempotency key that equals it.
    /// </returns>
    public static Key16 SessionOf(MacKey secret, Key16 voterKey)
    {
        Span<byte> input = stackalloc byte[17];
        input[0] = (byte)Purpose.Session;
        voterKey.Write(input[1..]);
        Span<byte> digest = stackalloc byte[MacKey.SizeBytes];
        secret.Compute(input, digest);
        return Key16.Of(digest[..16]);
    }

    /// <returns>
    /// What is kept of a request that came with an idempotency key: equal requests are equal, and unreadable.
    /// </returns>
    /// <param name="secret">The survey's.</param>
    /// <param name="namesSession">Whether the request names its session: it decides the answer's form.</param>
    /// <param name="answer">What the request says; no option is not the same as an option.</param>
    public static Key16 OfAnswer(MacKey secret, bool namesSession, Answer answer)
    {
        var input = new byte[11 + Encoding.UTF8.GetByteCount(answer.Text ?? "")];
        input[0] = (byte)Purpose.Answer;
        input[1] = (byte)(namesSession ? 1 : 0);
        input[2] = (byte)(answer.Text is null ? 0 : 1);
        BinaryPrimitives.WriteInt32BigEndian(input.AsSpan(3), answer.Question);
        BinaryPrimitives.WriteInt32BigEndian(input.AsSpan(7), answer.Options is [var option] ? option : 0);
        Encoding.UTF8.GetBytes(answer.Text ?? "", input.AsSpan(11));
        Span<byte> digest = stackalloc byte[MacKey.SizeBytes];
        secret.Compute(input, digest);
        return Key16.Of(digest[..16]);
    }

    // One secret serves several ends; the first byte keeps their inputs apart for good.
    private enum Purpose : byte
    {
        VoterKey = 1,
        VoteId = 2,
        Salt = 3,
        IdempotencyKey = 4,
        Session = 5,
        Answer = 6,
    }
}
