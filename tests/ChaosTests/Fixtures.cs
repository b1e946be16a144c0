using ChaosTests;
using Testing;

[assembly: AssemblyFixture(typeof(Postgres))]
