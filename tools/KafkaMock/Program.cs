using System.Globalization;
using KafkaMock;

const string usage = """
    voting-kafka-mock [--brokers N]
    A Kafka cluster for tests, on loopback and in memory. It says where it listens, then does what it reads line by
    line, and ends with its input:
      topic NAME PARTITIONS        creates a topic
      down BROKER, up BROKER       takes a broker, counted from 1, off the net and back
      rtt MILLISECONDS             delays every answer
      errors REQUEST ERROR COUNT   answers the next requests of a kind (a number of Kafka's protocol) with an error
      mend REQUEST                 forgets errors of that kind that were not met yet
    """;

var brokers = 1;
if (args is ["--brokers", var count] && int.TryParse(count, CultureInfo.InvariantCulture, out var asked) && asked > 0)
    brokers = asked;
else if (args.Length > 0)
{
    await Console.Error.WriteLineAsync(usage);
    return 2;
}

using var cluster = new MockCluster(brokers);
await Console.Out.WriteLineAsync($"Listening on {cluster.Bootstraps}");
while (await Console.In.ReadLineAsync() is { } line) await Console.Out.WriteLineAsync(cluster.Do(line));
return 0;
