using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace KafkaMock;

/// <summary>The Kafka client's own mock cluster, on loopback; what it holds is gone with the process.</summary>
internal sealed class MockCluster : IDisposable
{
    private const int ErrorSizeBytes = 512;

    // A group waits so long for further members before it shares its partitions out; real brokers wait 3 s.
    private const int RebalanceDelayMs = 100;

    private readonly nint _cluster;
    private readonly int _brokerCount;

    /// <exception cref="InvalidOperationException">The library could not make one; says why.</exception>
    public MockCluster(int brokerCount)
    {
        _brokerCount = brokerCount;
        var error = new byte[ErrorSizeBytes];
        var client = Librdkafka.New(Librdkafka.Producer, Librdkafka.ConfNew(), error, ErrorSizeBytes);
        if (client == 0) throw new InvalidOperationException(Encoding.UTF8.GetString(error).TrimEnd('\0'));
        _cluster = Librdkafka.ClusterNew(client, brokerCount);
        if (_cluster == 0) throw new InvalidOperationException("The library made no mock cluster.");
        Librdkafka.RebalanceDelay(_cluster, RebalanceDelayMs);
        // Admin clients ask the controller only, and the library's default is that there is none.
        Librdkafka.Controller(_cluster, 1);
        Bootstraps = Marshal.PtrToStringUTF8(Librdkafka.ClusterBootstraps(_cluster))!;
    }

    /// <summary><c>host:port</c> of every broker, separated by commas.</summary>
    public string Bootstraps { get; }

    /// <summary>Does what a line says.</summary>
    /// <returns><c>ok</c>, or what is wrong with the line.</returns>
    public string Do(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        try
        {
            return words switch
            {
                ["topic", var name, var partitions] => Said(
                    Librdkafka.TopicCreate(_cluster, name, Number(partitions), Math.Min(3, _brokerCount))),
                ["down", var broker] => Said(Librdkafka.BrokerDown(_cluster, Number(broker))),
                ["up", var broker] => Said(Librdkafka.BrokerUp(_cluster, Number(broker))),
                ["rtt", var milliseconds] => Said(Librdkafka.BrokerRoundTrip(_cluster, -1, Number(milliseconds))),
                ["errors", var request, var error, var count] => PushErrors(
                    (short)Number(request), Number(error), Number(count)),
                ["mend", var request] => ClearErrors((short)Number(request)),
                _ => "not understood",
            };
        }
        catch (FormatException)
        {
            return "not a number";
        }
    }

    public void Dispose() => Librdkafka.ClusterDestroy(_cluster);

    private static int Number(string word) =>
        int.Parse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    private static string Said(int error) => error == 0 ? "ok" : $"error {error}";

    private string PushErrors(short request, int error, int count)
    {
        Librdkafka.PushErrors(_cluster, request, (nuint)count, Enumerable.Repeat(error, count).ToArray());
        return "ok";
    }

    private string ClearErrors(short request)
    {
        Librdkafka.ClearErrors(_cluster, request);
        return "ok";
    }
}
