using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Audit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Testing;
using Voting.Contracts;

namespace AuditTests;

/// <summary>A sealed election, the rows and tallies that go with it, and what compares them.</summary>
internal sealed class ReconcilingSite : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly RandomNumberGenerator _random = RandomNumberGenerator.Create();
    private readonly DirectoryInfo _directory;
    private readonly AuditDatabase _database;

    private ReconcilingSite(SealingSite sealing, DirectoryInfo directory, bool isLate)
    {
        (Sealing, _directory) = (sealing, directory);
        Clock = new(TimeProvider.System.GetUtcNow() + (isLate ? TimeSpan.FromHours(1) : TimeSpan.Zero));
        _database = new(
            SealingSite.Shards(sealing.Database.ConnectionString),
            Options.Create(SealingSite.Connection(sealing.Database.ConnectionString)));
    }

    public SealingSite Sealing { get; }

    /// <summary>By partition, what the shards hold.</summary>
    public List<RecordedVote>[] Rows { get; } = [[], []];

    /// <summary>Tallies of all partitions.</summary>
    public List<PartitionTally> Tallies { get; } = [];

    /// <summary>Rows where none can be.</summary>
    public List<StrayVote> Strays { get; } = [];

    /// <summary>Final results.</summary>
    public List<RecordedResult> Results { get; } = [];

    /// <summary>By partition, how far it is counted.</summary>
    public long[] NextOffsets { get; } = [0, 0];

    public FakeTimeProvider Clock { get; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <param name="postgres">The server.</param>
    /// <param name="isLate">Whether everything that will be sealed was sealed long ago.</param>
    public static async Task<ReconcilingSite> OpenAsync(Postgres postgres, bool isLate = true)
    {
        var directory = Directory.CreateTempSubdirectory("reconcile-");
        var sealing = await SealingSite.OpenAsync(postgres, new DirectoryArchive(directory.FullName));
        sealing.Start();
        return new(sealing, directory, isLate);
    }

    /// <summary>Has partitions archived, and stores what counting would have stored.</summary>
    public async Task SealAsync(params Partition[] partitions)
    {
        foreach (var votes in partitions)
        {
            var (number, done) = (votes.Number, (int)NextOffsets[votes.Number]);
            await Sealing.AppendAsync(new(VoteTopics.Votes, number), [.. votes.Votes.Skip(done)]);
            await Sealing.AppendAsync(
                new(VoteTopics.Outcomes, number),
                [.. votes.Outcomes.Skip(Sealing.Appended(new(VoteTopics.Outcomes, number)).Count)]);
            Rows[number].Clear();
            Rows[number].AddRange(RowsOf(votes));
            NextOffsets[number] = votes.Votes.Count;
            Tallies.RemoveAll(tally => tally.Partition == number);
            Tallies.AddRange(votes.Tally.Keys.Select(key => key.Survey).Distinct().Select(survey => new PartitionTally(
                survey, number, votes.Votes.Count, votes.Tally[(survey, 0)],
                [.. Chosen(votes, survey).Select(one => one.Key.Option)],
                [.. Chosen(votes, survey).Select(one => one.Value)])));
        }

        await Sealing.SettledAsync();
    }

    /// <summary>A process that compares: another one each time.</summary>
    public ReconcileLogs Start(ReconciliationOptions? options = null, IArchiveStore? store = null)
    {
        var meters = _services.GetRequiredService<IMeterFactory>();
        var metrics = new DifferenceMetrics(meters);
        return new(
            _database, SealingSite.Logs, store ?? Sealing.Store, new(Votes, ReadTallies, ReadResults),
            new(_database, new(_random, Clock), metrics, NullLogger<DifferenceTable>.Instance), metrics,
            Microsoft.Extensions.Options.Options.Create(options ?? new()), Clock, NullLogger<ReconcileLogs>.Instance);
    }

    /// <summary>Everything is compared again, once.</summary>
    public async Task PassAsync(IArchiveStore? store = null)
    {
        Clock.Advance(TimeSpan.FromDays(2));
        await Sealing.ExecuteAsync("UPDATE audit.reconciled SET claimant = NULL, claimed_until = NULL");
        var process = Start(new() { PassVotesPerSecondMax = 1_000_000 }, store);
        var begun = Clock.GetUtcNow();
        // Each round is one log, as far as nothing is in the way.
        while (await Sealing.ReadAsync<long>($"""
            SELECT count(*) FROM audit.reconciled WHERE kind = 'pass' AND completed_at >= '{begun.UtcDateTime:O}'
            """) < SealingSite.Partitions)
        {
            var pass = process.PassAsync(Cancel);
            while (!pass.IsCompleted)
            {
                Clock.Advance(TimeSpan.FromSeconds(1));
                await Task.WhenAny(pass, Task.Delay(5, Cancel));
            }

            await pass;
        }
    }

    /// <summary>What is new is compared, and every tally, by a process that did nothing before.</summary>
    public async Task FollowAsync()
    {
        await Sealing.ExecuteAsync("UPDATE audit.reconciled SET claimant = NULL, claimed_until = NULL");
        await Start().FollowAsync(Cancel);
    }

    /// <returns>What is open, as text: kind, log, survey, place.</returns>
    public Task<string> OpenAsync() => Sealing.ReadAsync<string>("""
        SELECT coalesce(string_agg(concat_ws(' ', kind, log, survey, place), '; ' ORDER BY number), '')
        FROM audit.differences WHERE resolved_at IS NULL
        """);

    /// <returns>How far log votes-00 is followed.</returns>
    public async Task<(long Votes, long Outcomes)> PlaceAsync() => (
        await Sealing.ReadAsync<long>(
            "SELECT next_offset FROM audit.reconciled WHERE log = 'votes-00' AND kind = 'follow'"),
        await Sealing.ReadAsync<long>(
            "SELECT next_outcome FROM audit.reconciled WHERE log = 'votes-00' AND kind = 'follow'"));

    /// <returns>Types of the events that wait in the outbox, in their order.</returns>
    public Task<string> ToldAsync() => Sealing.ReadAsync<string>("""
        SELECT coalesce(string_agg(convert_from(event, 'UTF8')::jsonb ->> 'type', '; ' ORDER BY number), '')
        FROM audit.outbox
        """);

    public async ValueTask DisposeAsync()
    {
        await Sealing.DisposeAsync();
        await _database.DisposeAsync();
        await _services.DisposeAsync();
        _random.Dispose();
        _directory.Delete(recursive: true);
    }

    private ValueTask<RecordedVotes> Votes(ReadRecordedVotes query, CancellationToken cancel) => new(new RecordedVotes(
        NextOffsets[query.Partition],
        [.. Rows[query.Partition].Where(row => row.Offset >= query.From && row.Offset < query.To)]));

    private ValueTask<IReadOnlyList<RecordedResult>> ReadResults(ReadRecordedResults query, CancellationToken cancel) =>
        new([.. Results.Where(one => one.Survey >= query.From && one.Survey <= query.To).OrderBy(one => one.Survey)
            .Take(query.CountMax)]);

    private ValueTask<PartitionTallies> ReadTallies(ReadPartitionTallies query, CancellationToken cancel)
    {
        var since = Rows[query.Partition]
            .Where(row => row.As is RecordedAs.Counted && row.Offset >= query.From).GroupBy(row => row.Survey)
            .Select(rows =>
            {
                var votes = rows.SelectMany(row => row.Options!).CountBy(option => option).OrderBy(one => one.Key)
                    .ToList();
                return new PartitionTally(
                    rows.Key, query.Partition, 0, rows.Count(), [.. votes.Select(one => one.Key)],
                    [.. votes.Select(one => (long)one.Value)]);
            });
        return new(new PartitionTallies(
            NextOffsets[query.Partition], [.. Tallies.Where(tally => tally.Partition == query.Partition)], [.. since],
            [.. Strays.Where(stray => stray.Partition == query.Partition)]));
    }

    private static IOrderedEnumerable<KeyValuePair<(int Survey, int Option), long>> Chosen(
        Partition votes, int survey) =>
        votes.Tally.Where(one => one.Key.Survey == survey && one.Key.Option > 0).OrderBy(one => one.Key.Option);

    public static IEnumerable<RecordedVote> RowsOf(Partition votes)
    {
        var outcomes = votes.Outcomes.Select(JudgedOutcome.Read).OfType<JudgedOutcome>()
            .Where(outcome => outcome.Of < votes.Votes.Count
                && JudgedRecord.Of(outcome.Of, votes.Votes[(int)outcome.Of]).IsOf(outcome))
            .DistinctBy(outcome => outcome.Of).ToDictionary(outcome => outcome.Of);
        foreach (var (offset, bytes) in votes.Votes.Index())
        {
            var record = JudgedRecord.Of(offset, bytes);
            if (outcomes.GetValueOrDefault(offset) is { } outcome)
            {
                yield return new(
                    offset, outcome.As, outcome.Reason, record.Survey, record.Words!.VoterKey, record.Words.VoteId,
                    record.Entry.ToArray(), record.Words.AcceptedAt, outcome.DecidedAt,
                    outcome.As is RecordedAs.Counted ? record.Words.Options : null, null);
            }
            else if (record.Kind is not JudgedKind.Fence)
            {
                yield return new(
                    offset, RecordedAs.SetAside, null, 0, default, default, SHA256.HashData(bytes), null, null, null,
                    null);
            }
        }
    }
}
