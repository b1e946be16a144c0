using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Audit;

/// <summary>
/// Writes entries as lines, compressed: the object that keeps them for good. <see cref="SegmentReader"/> reads it. One
/// JSON object a line; where an event is JSON itself and fits a line it stands there byte for byte.
/// </summary>
/// <remarks>
/// <c>{"index":17,"previous":"…","hash":"…","topic":"votes","partition":7,"offset":1234,"event":{…}}</c>. An event that
/// is other text stands as <c>"text":"…"</c>, every other as <c>"bytes":"…"</c> in base64url. In the log of logs
/// <c>"log":"votes-07","checkpoint":3</c> stands for topic, partition and offset. Not thread safe.
/// </remarks>
internal sealed class SegmentWriter : IDisposable
{
    /// <summary>What the object is called in the store.</summary>
    public const string ContentType = "application/zstd";

    // Twice as small as without, at a third of the time that hashing takes; higher levels gain a tenth.
    private const int CompressionLevel = 1;
    private const int BlockSizeBytes = 128 * 1024;

    // All of a line but topic and event: numbers of 19 digits, digests of 43 characters.
    private const int AroundSizeBytesMax = 320;

    private static readonly JsonEncodedText NoText = JsonEncodedText.Encode("");
    private static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    private readonly Compressor _zstd = new(CompressionLevel);
    private byte[] _block = ArrayPool<byte>.Shared.Rent(BlockSizeBytes);
    private byte[] _packed = ArrayPool<byte>.Shared.Rent(BlockSizeBytes);
    private int _blockSizeBytes;
    private int _packedSizeBytes;
    private Digest _last;

    /// <param name="firstIndex">Of the first entry.</param>
    /// <param name="last">The link before it; default before the first of a log.</param>
    public SegmentWriter(long firstIndex, in Digest last)
    {
        (NextIndex, _last) = (firstIndex, last);
        // A damaged object is told from a forged one.
        _zstd.SetParameter(ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
    }

    /// <summary>Index of the entry that is added next.</summary>
    public long NextIndex { get; private set; }

    /// <summary>The link of the last entry.</summary>
    public Digest LastHash => _last;

    /// <summary>Adds the next entry.</summary>
    /// <returns>What stands in the tree: SHA-256 of the event.</returns>
    public Digest Add(EntrySource source, long offset, ReadOnlySpan<byte> @event)
    {
        var hash = Digest.Of(_last, @event);
        // The longest form of an event is six bytes for one.
        var isJson = IsJsonLine(@event);
        Reserve(AroundSizeBytesMax + (3 * source.Topic.Length) + (@event.Length * (isJson ? 1 : 6)));
        var to = new LineBuffer(_block, _blockSizeBytes);
        to.Put("{\"index\":"u8);
        to.Put(NextIndex);
        to.Put(",\"previous\":\""u8);
        to.Put(_last);
        to.Put("\",\"hash\":\""u8);
        to.Put(hash);
        PutSource(ref to, source, offset);
        PutEvent(ref to, @event, isJson);
        to.Put("}\n"u8);
        _blockSizeBytes = to.Length;
        NextIndex++;
        _last = hash;
        return Digest.Of(@event);
    }

    /// <summary>Ends the segment; nothing can be added afterwards.</summary>
    /// <returns>The object's bytes: valid until this is disposed.</returns>
    public ReadOnlyMemory<byte> Finish()
    {
        Pack(isLast: true);
        return _packed.AsMemory(0, _packedSizeBytes);
    }

    public void Dispose()
    {
        _zstd.Dispose();
        ArrayPool<byte>.Shared.Return(_block);
        ArrayPool<byte>.Shared.Return(_packed);
        (_block, _packed) = ([], []);
    }

    private static void PutSource(ref LineBuffer to, EntrySource source, long offset)
    {
        if (source.Partition is { } partition)
        {
            to.Put("\",\"topic\":\""u8);
            to.Put(source.Topic);
            to.Put("\",\"partition\":"u8);
            to.Put(partition);
            to.Put(",\"offset\":"u8);
        }
        else
        {
            to.Put("\",\"log\":\""u8);
            to.Put(source.Topic);
            to.Put("\",\"checkpoint\":"u8);
        }

        to.Put(offset);
    }

    private static void PutEvent(ref LineBuffer to, ReadOnlySpan<byte> @event, bool isJson)
    {
        if (isJson)
        {
            to.Put(",\"event\":"u8);
            to.Put(@event);
        }
        else if (Utf8.IsValid(@event))
        {
            to.Put(",\"text\":\""u8);
            to.Put((@event.IsEmpty ? NoText : JsonEncodedText.Encode(@event, Encoder)).EncodedUtf8Bytes);
            to.Put("\""u8);
        }
        else
        {
            to.Put(",\"bytes\":\""u8);
            to.PutBase64(@event);
            to.Put("\""u8);
        }
    }

    /// <summary>Whether readers of JSON lines understand a line in which the event stands as it is.</summary>
    private static bool IsJsonLine(ReadOnlySpan<byte> @event)
    {
        if (@event.IsEmpty || @event.IndexOfAny((byte)'\n', (byte)'\r') >= 0 || !Utf8.IsValid(@event)) return false;
        // Most of what is no JSON does not begin so, and is told without an exception.
        if (@event[0] != (byte)'{') return false;
        try
        {
            var json = new Utf8JsonReader(@event);
            while (json.Read()) { }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void Reserve(int sizeBytes)
    {
        if (_blockSizeBytes + sizeBytes <= _block.Length) return;
        Pack(isLast: false);
        if (sizeBytes <= _block.Length) return;
        ArrayPool<byte>.Shared.Return(_block);
        _block = ArrayPool<byte>.Shared.Rent(sizeBytes);
    }

    private void Pack(bool isLast)
    {
        var rest = _block.AsSpan(0, _blockSizeBytes);
        OperationStatus status;
        do
        {
            if (_packed.Length - _packedSizeBytes < BlockSizeBytes) GrowPacked();
            status = _zstd.WrapStream(
                rest, _packed.AsSpan(_packedSizeBytes), out var taken, out var written, isFinalBlock: isLast);
            rest = rest[taken..];
            _packedSizeBytes += written;
        }
        while (rest.Length > 0 || (isLast && status is not OperationStatus.Done));

        _blockSizeBytes = 0;
    }

    private void GrowPacked()
    {
        var larger = ArrayPool<byte>.Shared.Rent(_packed.Length * 2);
        _packed.AsSpan(0, _packedSizeBytes).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_packed);
        _packed = larger;
    }

    /// <summary>The end of a buffer that has room for what is put there.</summary>
    private ref struct LineBuffer(Span<byte> buffer, int length)
    {
        private readonly Span<byte> _buffer = buffer;

        public int Length { get; private set; } = length;

        public void Put(scoped ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(_buffer[Length..]);
            Length += bytes.Length;
        }

        public void Put(string text) => Length += Encoding.UTF8.GetBytes(text, _buffer[Length..]);

        public void Put(long number)
        {
            _ = Utf8Formatter.TryFormat(number, _buffer[Length..], out var written);
            Length += written;
        }

        public void Put(in Digest digest) => PutBase64(digest.Span);

        public void PutBase64(scoped ReadOnlySpan<byte> bytes) =>
            Length += Base64Url.EncodeToUtf8(bytes, _buffer[Length..]);
    }
}
