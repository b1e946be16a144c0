using System.Text;

namespace Platform;

/// <summary>What every log takes, whatever its own store would bear.</summary>
internal static class RecordLimits
{
    public const int HeaderCountMax = 16;

    private const int KeySizeBytesMax = 1024;
    private const int HeadersSizeBytesMax = 16 * 1024;

    /// <returns>Bytes of key, value and headers.</returns>
    /// <exception cref="AppendFailedException">Too large.</exception>
    /// <exception cref="ArgumentException">More headers than a record has.</exception>
    public static int RequireFitting(in LogRecord record)
    {
        var headers = 0;
        foreach (var header in record.Headers ?? [])
            headers += Encoding.UTF8.GetByteCount(header.Name) + header.Value.Length;
        var size = record.Key.Length + record.Value.Length + headers;
        if (record.Value.Length > IEventLog.RecordSizeBytesMax || record.Key.Length > KeySizeBytesMax
            || headers > HeadersSizeBytesMax)
        {
            throw new AppendFailedException(
                AppendFailure.TooLarge,
                $"A record of {size} bytes, {record.Value.Length} of them its value, is too large.");
        }

        if (record.Headers?.Length > HeaderCountMax)
            throw new ArgumentException($"A record has at most {HeaderCountMax} headers.", nameof(record));
        return size;
    }
}
