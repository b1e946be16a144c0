using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Confluent.Kafka;

namespace Platform;

/// <summary>
/// Which generation of its group a consumer belongs to. The coordinator raises it with every change of members, so of
/// two owners of a partition the later one has the higher.
/// </summary>
/// <remarks>
/// The client library knows the number and shows it nowhere but in the metadata that it hands to transactional
/// producers, whose bytes are not public: they begin with a magic word and the number. A log that opens on another
/// version of the library, where either has changed, fails at the first partition that comes.
/// </remarks>
internal static class GroupGeneration
{
    /// <exception cref="InvalidOperationException">The bytes are not what they were.</exception>
    public static int Of(IConsumerGroupMetadata metadata) => Parse(Serialized(metadata));

    public static int Parse(ReadOnlySpan<byte> serialized)
    {
        var magic = "CGMDv2:"u8;
        if (!serialized.StartsWith(magic) || serialized.Length < magic.Length + sizeof(int))
            throw new InvalidOperationException("The Kafka client's group metadata has another form than is known.");
        // Written by the same process, as its processor has it.
        return BitConverter.IsLittleEndian
            ? BinaryPrimitives.ReadInt32LittleEndian(serialized[magic.Length..])
            : BinaryPrimitives.ReadInt32BigEndian(serialized[magic.Length..]);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "serializedMetadata")]
    private static extern ref byte[] Serialized(
        [UnsafeAccessorType("Confluent.Kafka.ConsumerGroupMetadata, Confluent.Kafka")] object metadata);
}
