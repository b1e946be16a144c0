using System.Security.Cryptography;
using Npgsql;
using Platform;
using Voting;

namespace Bench;

/// <summary>What a vote costs when much was counted before, in few surveys and in many.</summary>
internal static class GrowthRow
{
    public const string Name = "growth";

    private const double GrowthMax = 1.15;
    private const int SurveysBefore = 10, SurveysAfter = 100;
    private const int WarmupRuns = 4;

    public static async Task<Row> MeasureAsync(
        Site small, Site large, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        await using var before = await Place.FillAsync(
            small, SurveysBefore, sizes.GrowthRows.Before, sizes, progress, cancel);
        await using var after = await Place.FillAsync(
            large, SurveysAfter, sizes.GrowthRows.After, sizes, progress, cancel);
        var (floors, ours) = (new List<Rate>(), new List<Rate>());
        for (var run = -WarmupRuns; run < sizes.Runs; run++)
        {
            progress($"Growth: run {run + 1} of {sizes.Runs} ...");
            var floor = await before.CountAsync(cancel);
            var us = await after.CountAsync(cancel);
            if (run < 0) continue;
            floors.Add(floor);
            ours.Add(us);
        }

        return new(Name, $"counting at {sizes.GrowthRows.After:#,0} rows and {SurveysAfter} open surveys; floor: at "
            + $"{sizes.GrowthRows.Before:#,0} and {SurveysBefore}",
        [
            new("CPU a vote, counter and PostgreSQL", "µs", Median(floors, run => run.Cpu + run.DatabaseCpu),
                Median(ours, run => run.Cpu + run.DatabaseCpu),
                new($"≤ {GrowthMax} × floor", measure => measure.Ratio <= GrowthMax)),
        ],
        new Dictionary<string, double>
        {
            ["counter before, µs"] = Median(floors, run => run.Cpu),
            ["counter after, µs"] = Median(ours, run => run.Cpu),
            ["PostgreSQL before, µs"] = Median(floors, run => run.DatabaseCpu),
            ["PostgreSQL after, µs"] = Median(ours, run => run.DatabaseCpu),
        },
        []);
    }

    private static double Median(List<Rate> runs, Func<Rate, double> figure) => Statistics.Median(runs.Select(figure));

    /// <summary>An installation in which much was counted already.</summary>
    private sealed class Place(Site site, VotingDatabase database, MadeVotes votes, int countAPartition)
        : IAsyncDisposable
    {
        private long _next;

        public static async Task<Place> FillAsync(
            Site site, int surveys, int rows, Sizes sizes, Action<string> progress, CancellationToken cancel)
        {
            progress($"Growth: making {rows:#,0} rows of {surveys} surveys ...");
            var database = MadeVotes.Database(site.ConnectionString);
            // On average so many are there while runs add theirs.
            var added = (2 * WarmupRuns + sizes.Runs) * sizes.GrowthAPartition / 2;
            var each = Math.Max(surveys, rows / MadeVotes.Partitions - added);
            await using var owner = NpgsqlDataSource.Create(site.ConnectionString);
            await Parallel.ForAsync(0, MadeVotes.Partitions, new ParallelOptions
            {
                MaxDegreeOfParallelism = Environment.ProcessorCount,
                CancellationToken = cancel,
            }, async (partition, stop) => await FillAsync(owner, database.OfPartition(partition), partition, surveys,
                each, stop));
            await site.Postgres.CheckpointAsync(cancel);
            await TouchAsync(database, cancel);
            return new(
                site, database, new(MadeVotes.Surveys(surveys), RandomNumberGenerator.GetBytes(32)),
                sizes.GrowthAPartition)
            { _next = each };
        }

        public async Task<Rate> CountAsync(CancellationToken cancel)
        {
            var partitions = Enumerable.Range(0, MadeVotes.Partitions)
                .Select(partition => votes.Make(partition, countAPartition, _next)).ToList();
            _next += countAPartition;
            return await Rate.OfAsync(site, countAPartition * MadeVotes.Partitions,
                () => new CountInMemory(database, votes).RunAsync(partitions, cancel));
        }

        public ValueTask DisposeAsync() => database.DisposeAsync();

        /// <summary>
        /// Each of the server's processes maps each page of the shared memory at its first touch, which is dear; one
        /// that has served for long has done that.
        /// </summary>
        private static async Task TouchAsync(VotingDatabase database, CancellationToken cancel)
        {
            var shards = Enumerable.Range(0, MadeVotes.Partitions).Select(database.OfPartition).Distinct().ToArray();
            var connections = new List<NpgsqlConnection>();
            // As many as count at once, all held: the pool gives each of them a process of its own.
            foreach (var shard in shards.DistinctBy(shard => shard.Source))
            {
                for (var worker = 0; worker < MadeVotes.Partitions; worker++)
                    connections.Add(await shard.Source.OpenConnectionAsync(cancel));
            }

            await Task.WhenAll(connections.Select(async connection =>
            {
                foreach (var shard in shards)
                {
                    await using var touch = new NpgsqlCommand($"""
                        SET enable_seqscan = off; SET enable_bitmapscan = off;
                        SELECT count(*) FROM {shard.Schema}.ballots WHERE survey > 0
                        """, connection) { CommandTimeout = 600 };
                    await touch.ExecuteNonQueryAsync(cancel);
                }
            }));
            foreach (var connection in connections) await connection.DisposeAsync();
        }

        // The tallies are what rows of one option each would give; nobody recounts them here.
        private static async Task FillAsync(
            NpgsqlDataSource owner, ModuleShard shard, int partition, int surveys, int count, CancellationToken cancel)
        {
            await using var fill = owner.CreateCommand($"""
                INSERT INTO {shard.Schema}.ballots (survey, voter_key, vote_id, partition, "offset", accepted_at,
                    decided_at, options, entry, receipt)
                SELECT 1 + i % {surveys}, uuid_send(gen_random_uuid()), uuid_send(gen_random_uuid()), {partition}, i,
                    now(), now(), ARRAY[20 * (1 + i % {surveys}), 20 * (1 + i % {surveys}) + 10],
                    sha256(uuid_send(gen_random_uuid())), decode(repeat('00', 86), 'hex')
                FROM generate_series(0, {count - 1}) AS i;
                INSERT INTO {shard.Schema}.tallies (survey, partition, version, ballots, options, votes)
                SELECT survey, {partition}, {count}, count(*), ARRAY[20 * survey, 20 * survey + 10],
                    ARRAY[count(*), count(*)]
                FROM {shard.Schema}.ballots GROUP BY survey;
                UPDATE {shard.Schema}.positions SET next_offset = {count} WHERE partition = {partition};
                -- What vacuum costs comes in lumps, whichever run it meets.
                ALTER TABLE {shard.Schema}.ballots SET (autovacuum_enabled = off);
                """);
            fill.CommandTimeout = 600;
            await fill.ExecuteNonQueryAsync(cancel);
            await using var tidy = owner.CreateCommand($"VACUUM (ANALYZE) {shard.Schema}.ballots");
            tidy.CommandTimeout = 600;
            await tidy.ExecuteNonQueryAsync(cancel);
        }
    }
}
