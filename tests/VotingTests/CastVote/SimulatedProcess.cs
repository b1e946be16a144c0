using Microsoft.Extensions.Options;
using Voting;
using Voting.Contracts;

namespace VotingTests;

/// <summary>One api process: the real decisions of accepting over simulated surroundings.</summary>
internal sealed class SimulatedProcess
{
    private readonly CastVote _cast;

    /// <param name="world">What it shares with all others.</param>
    /// <param name="skew">How wrong its wall clock is.</param>
    /// <param name="reservations">Its own, or everybody's.</param>
    /// <param name="fates">Of its appends.</param>
    /// <param name="losesWhatIsUnderWay">Whether its sends die with it.</param>
    public SimulatedProcess(
        ElectionWorld world, TimeSpan skew, Func<TimeProvider, IReservations> reservations, Queue<AppendFate> fates,
        bool losesWhatIsUnderWay)
    {
        Machine = new(world.Time);
        var clock = new SimulatedClock(world.Time, skew);
        var options = Options.Create(new VotingOptions
        {
            Lease = ElectionWorld.Lease,
            AppendTimeout = TimeSpan.FromSeconds(8),
        });
        var readings = new Readings(world, clock);
        var log = new SimulatedLog.Client(world.Log, Machine, fates) { LosesWhatIsUnderWay = losesWhatIsUnderWay };
        var known = new Known(world);
        var fences = new Fenced(world);
        _cast = new(
            readings, reservations(clock), known, new AcceptLease(readings, fences, options, clock),
            new SettledVotes(known, fences, log, clock), world.Receipts, ElectionWorld.Mac, log, world.Map, clock,
            options);
        Machine.Post(_ => _ = readings.RunAsync(), null);
    }

    public SimulatedMachine Machine { get; }

    /// <summary>Begins a request; it is answered unless the process ends before.</summary>
    public Task<Answered> CastAsync(CastRequest request)
    {
        var answer = new TaskCompletionSource<Answered>();
        Machine.Post(_ => _ = AnswerAsync(), null);
        return answer.Task;

        async Task AnswerAsync()
        {
            try
            {
                answer.TrySetResult(new(await _cast.HandleAsync(request)));
            }
            catch (Exception e) when (e is IOException)
            {
                // The endpoint's 503 of a database that does not answer.
                answer.TrySetResult(new((CastVoteOutcome?)null));
            }
            catch (Exception e)
            {
                answer.TrySetException(e);
            }
        }
    }

    /// <param name="Outcome">Null when there was no answer that says anything.</param>
    internal sealed record Answered(CastVoteOutcome? Outcome);

    /// <summary>A directory of the one survey, read over and over.</summary>
    private sealed class Readings(ElectionWorld world, TimeProvider clock) : ISurveyReadings
    {
        private TaskCompletionSource _read = new();
        private TaskCompletionSource _wanted = new();
        private Survey? _survey;
        private long _startedAt = -1;
        private long? _publishedAt;

        public Survey? Find(int id) => id == ElectionWorld.SurveyId ? _survey : null;

        public long? PublishedReadStartedAt(int id) => _publishedAt;

        public async Task ReadAfterAsync(long timestamp, CancellationToken cancel)
        {
            while (_startedAt < timestamp)
            {
                var read = _read.Task;
                _wanted.TrySetResult();
                await read.WaitAsync(cancel);
            }
        }

        public async Task RunAsync()
        {
            while (true)
            {
                _wanted = new();
                var wanted = _wanted.Task;
                try
                {
                    var startedAt = clock.GetTimestamp();
                    var status = await world.Ask(() => world.Status);
                    (_startedAt, _survey) = (startedAt, world.SurveyAs(status));
                    if (status is SurveyStatus.Published) _publishedAt = startedAt;
                    var read = _read;
                    _read = new();
                    read.TrySetResult();
                }
                catch (IOException)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(500), clock);
                    continue;
                }

                await Task.WhenAny(Task.Delay(TimeSpan.FromMilliseconds(700), clock), wanted);
            }
        }
    }

    private sealed class Known(ElectionWorld world) : IKnownVotes
    {
        public Task<Reservation?> FindAsync(int partition, int survey, Key16 voterKey) => world.Ask(() =>
            world.Rows[partition].Ballots.TryGetValue((survey, voterKey), out var row)
                ? new Reservation(survey, voterKey, row.Vote.VoteId, row.Vote.AcceptedAt, row.Entry,
                    row.Receipt.ToArray(), row.Idempotency is { } key ? Key16.Of(key.Span) : null)
                : null);
    }

    private sealed class Fenced(ElectionWorld world) : IFences
    {
        public Task<long?> FindAsync(int survey, int partition, CancellationToken cancel) => world.Ask(() =>
            world.Rows[partition].Fences.TryGetValue(survey, out var fence) ? fence : (long?)null).WaitAsync(cancel);

        public Task<long> NextOffsetAsync(int partition, CancellationToken cancel) =>
            world.Ask(() => world.Rows[partition].NextOffset).WaitAsync(cancel);
    }
}

/// <summary>Reservations that everybody shares, a moment away, and that can be lost all at once.</summary>
internal sealed class SharedReservations(ElectionWorld world, TimeProvider clock) : IReservations
{
    private InProcessReservations _kept = new(1_000, clock);

    public void Forget() => _kept = new(1_000, clock);

    public ValueTask<HeldReservation?> ReserveAsync(Reservation wanted, CancellationToken cancel) =>
        AskAsync(() => _kept.ReserveAsync(wanted, cancel), cancel);

    public ValueTask<HeldReservation?> FindAsync(int survey, Key16 voterKey, CancellationToken cancel) =>
        AskAsync(() => _kept.FindAsync(survey, voterKey, cancel), cancel);

    public ValueTask<bool> TakeOverAsync(Reservation found, Reservation wanted, CancellationToken cancel) =>
        AskAsync(() => _kept.TakeOverAsync(found, wanted, cancel), cancel);

    public ValueTask<bool> JoinAsync(Reservation found, CancellationToken cancel) =>
        AskAsync(() => _kept.JoinAsync(found, cancel), cancel);

    public async ValueTask AppendedAsync(Reservation reservation, CancellationToken cancel) =>
        await AskAsync(() => DoAsync(_kept.AppendedAsync(reservation, cancel)), cancel);

    public async ValueTask ReleaseAsync(Reservation reservation, CancellationToken cancel) =>
        await AskAsync(() => DoAsync(_kept.ReleaseAsync(reservation, cancel)), cancel);

    // In process everything is answered at once.
    private ValueTask<T> AskAsync<T>(Func<ValueTask<T>> ask, CancellationToken cancel) =>
        new(world.Time.AskAsync(15, ask).WaitAsync(cancel));

    private static async ValueTask<bool> DoAsync(ValueTask done)
    {
        await done;
        return true;
    }
}
