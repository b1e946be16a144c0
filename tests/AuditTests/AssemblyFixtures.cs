using Testing;

[assembly: AssemblyFixture(typeof(Postgres))]
