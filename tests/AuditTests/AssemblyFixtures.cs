using Testing;

[assembly: AssemblyFixture(typeof(Postgres))]
[assembly: AssemblyFixture(typeof(KafkaCluster))]
