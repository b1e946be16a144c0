using System.Buffers.Binary;

namespace Platform;

/// <summary>
/// Buckets: the 65,536 slices that all voters are spread over. A partition of <c>votes</c> is a range of them.
/// </summary>
public static class Buckets
{
    /// <summary>How many there are.</summary>
    public const int Count = 65_536;

    /// <returns>The bucket in the first two bytes of a 16-byte id.</returns>
    public static int Of(ReadOnlySpan<byte> id) => BinaryPrimitives.ReadUInt16BigEndian(id);

    /// <returns>bucket × partitions / 65,536.</returns>
    public static int Partition(int bucket, int partitions) => (int)((long)bucket * partitions / Count);
}
