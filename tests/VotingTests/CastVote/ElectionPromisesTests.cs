using CsCheck;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Platform;
using Testing;
using Voting;

namespace VotingTests;

/// <summary>
/// Accepting, counting and closing together, against what the platform promises: the real decisions, over a log,
/// rows, reservations, clocks and processes that fail as drawn. What fails is told with the seed that repeats it.
/// </summary>
public sealed class ElectionPromisesTests(Postgres postgres)
{
    private const int Voters = 4;
    private const int RoundsMax = 10;

    private static readonly Gen<Sending> Sendings = Gen.Select(
        Gen.Int[0, Voters - 1], Gen.Int[1, 3], Gen.Int[0, 9_000], Gen.Int[0, ElectionWorld.Processes - 1],
        Gen.Int[1, 4], (voter, option, at, process, patience) => new Sending(voter, option, at, process, patience));

    private static readonly Gen<Trouble> Troubles = Gen.Frequency(
        (4, Gen.Select(Gen.Int[0, 9_000], Gen.Int[0, ElectionWorld.Processes - 1], Gen.Int[500, 9_000],
            Trouble (at, process, length) => new Trouble.Pause(at, process, length))),
        (6, Gen.Select(Gen.Int[0, 120], Gen.Int[0, 20], Gen.Int[500, 9_000],
            Trouble (at, sending, length) => new Trouble.PauseDuring(at, sending, length))),
        (3, Gen.Select(Gen.Int[0, 9_000], Gen.Int[0, ElectionWorld.Processes - 1],
            Trouble (at, process) => new Trouble.Kill(at, process))),
        (2, Gen.Int[0, 9_000].Select(Trouble (at) => new Trouble.Forget(at))),
        (2, Gen.Select(Gen.Int[0, 9_000], Gen.Int[200, 5_000], Trouble (at, length) =>
            new Trouble.Outage(at, length))),
        (2, Gen.Select(Gen.Int[0, 9_000], Gen.Int[500, 9_000], Trouble (at, length) =>
            new Trouble.CountingStops(at, length))));

    private static readonly Gen<AppendFate> Fates = Gen.Frequency(
        (10, Gen.Const(AppendFate.Confirmed)), (1, Gen.Const(AppendFate.NeverAnswered)),
        (1, Gen.Const(AppendFate.UnknownButThere)), (1, Gen.Const(AppendFate.UnknownAndLost)),
        (1, Gen.Const(AppendFate.NotPersisted)), (1, Gen.Const(AppendFate.Overloaded)));

    // Clocks so far apart that ten minutes, after which a repeat without its key is told of its vote only, do not pass.
    private static readonly Gen<Election> Elections = Gen.Select(
        Gen.Select(Gen.Int[0, int.MaxValue], Gen.Bool, Gen.Bool, Gen.Int[-240, 240].Array[ElectionWorld.Processes]),
        Gen.Select(Sendings.Array[1, 14], Fates.Array[0, 24], Troubles.Array[0, 5], Gen.Int[0, 6_000]),
        (surroundings, events) => new Election(
            surroundings.Item1, surroundings.Item2, surroundings.Item3, surroundings.Item4,
            events.Item1, events.Item2, events.Item3, events.Item4));

    [Fact]
    public async Task Whatever_fails_and_whenever_the_survey_closes_every_promise_to_a_voter_is_kept()
    {
        var (services, database) = await ReceiptsAsync();
        await using var _ = database;
        await using var __ = services;
        var receipts = new Receipts(services.GetRequiredService<KeyRing>(), Options.Create(new TokenOptions()));
        var met = new int[10];
        // The property would hold of a world in which nothing happens; the rarest outcome is met once in a hundred.
        for (var round = 0; round < RoundsMax && (round == 0 || met.Contains(0)); round++)
        {
            await Elections.SampleAsync(async election =>
            {
                var world = new ElectionWorld(election, receipts);
                await world.RunAsync();
                var end = new ElectionEnd(world);
                end.AssertRecordsEndedAsThePlainCountSays();
                end.AssertAnswersAreTrue();
                if (election.IsShared && !election.Troubles.Any(trouble => trouble is Trouble.Forget))
                    end.AssertRepeatsGetTheFirstAnswer();
                Note(met, world);
            }, iter: 400);
        }

        Assert.All(met, count => Assert.True(count > 0, $"Some outcome was never met: {string.Join(' ', met)}"));
    }

    private static void Note(int[] met, ElectionWorld world)
    {
        foreach (var attempt in world.Attempts)
        {
            var kind = attempt.Outcome switch
            {
                null => 0,
                CastVoteOutcome.Accepted => 1,
                CastVoteOutcome.Repeated => 2,
                CastVoteOutcome.NotOpen => 3,
                CastVoteOutcome.DuplicateVote => 4,
                CastVoteOutcome.Overloaded => 5,
                _ => 6,
            };
            Interlocked.Increment(ref met[kind]);
        }

        foreach (var vote in world.Rows.SelectMany(rows => rows.Refused.Values))
        {
            var kind = vote.Kind is OutcomeKind.Repeated ? 7 : vote.Reason is RejectionReason.Duplicate ? 8 : 9;
            Interlocked.Increment(ref met[kind]);
        }
    }

    private async Task<(ServiceProvider Services, TestDatabase Database)> ReceiptsAsync()
    {
        var cancel = TestContext.Current.CancellationToken;
        var (hosted, database) = await SurveyHost.ServicesAsync(postgres, TimeProvider.System);
        await hosted.DisposeAsync();
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(
            new Dictionary<string, string?>
            {
                ["Database:ConnectionString"] = database.ConnectionString,
                ["Keys:MasterKey"] = Convert.ToBase64String(new byte[32]),
            }).Build());
        services.AddSettings<DatabaseOptions>("Database");
        services.AddSettings<ShardOptions>("Shards");
        services.AddSettings<LogOptions>("Log");
        services.AddSingleton<ShardMap>();
        services.AddKeys();
        services.AddKeyPurpose(Receipts.KeyPurpose, KeyAlgorithm.Es256, published: true);
        var provider = services.BuildServiceProvider();
        await provider.GetRequiredService<KeyRing>().EnsureAsync(cancel);
        await provider.GetRequiredService<KeyRing>().LoadAsync(cancel);
        return (provider, database);
    }
}
