using Microsoft.Extensions.Options;
using Platform;
using Voting;
using Voting.Contracts;

namespace VotingTests;

/// <summary>What goes wrong, and when, in milliseconds since the beginning.</summary>
internal abstract record Trouble(int At)
{
    /// <summary>A process stands still: SIGSTOP, and SIGCONT after <paramref name="For"/>.</summary>
    internal sealed record Pause(int At, int Process, int For) : Trouble(At);

    /// <summary>A process stands still in the middle of what a sending has begun.</summary>
    internal sealed record PauseDuring(int At, int Sending, int For) : Trouble(At);

    /// <summary>A process is lost with all that it held, and started anew.</summary>
    internal sealed record Kill(int At, int Process) : Trouble(At);

    /// <summary>All reservations are forgotten.</summary>
    internal sealed record Forget(int At) : Trouble(At);

    /// <summary>The database answers nobody.</summary>
    internal sealed record Outage(int At, int For) : Trouble(At);

    /// <summary>Nobody counts.</summary>
    internal sealed record CountingStops(int At, int For) : Trouble(At);
}

/// <summary>A voter's device sends a ballot until it is told its end, at one process after the other.</summary>
internal sealed record Sending(int Voter, int Option, int At, int Process, int Patience);

/// <summary>An election that is drawn: all there is to know of it but the seed of its order.</summary>
/// <param name="IsShared">Whether the processes share their reservations.</param>
/// <param name="SkewSeconds">Of the processes' wall clocks.</param>
internal sealed record Election(
    int Seed, bool IsShared, bool LosesSends, int[] SkewSeconds, Sending[] Sendings, AppendFate[] Fates,
    Trouble[] Troubles, int ClosesAt);

/// <summary>One answer that one attempt got.</summary>
internal sealed record Attempt(Sending Sending, long BeganAt, long EndedAt, CastVoteOutcome? Outcome);

/// <summary>A whole installation in one thread: api processes, the log, rows, counting, and closing.</summary>
internal sealed class ElectionWorld
{
    public const int SurveyId = 1;
    public const int PartitionCount = 2;
    public const int Processes = 3;

    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(2);
    public static readonly EventMac Mac = new([new byte[32]]);

    private static readonly MacKey Secret = new(new byte[32]);

    private readonly Election _election;
    private readonly SimulatedProcess[] _processes = new SimulatedProcess[Processes];
    private readonly SharedReservations _shared;
    private readonly Queue<AppendFate> _fates;
    private readonly PartitionCount?[] _counts = new PartitionCount?[PartitionCount];
    private readonly SimulatedClock _clock;
    private readonly SimulatedMachine _others;
    private readonly List<Task> _running = [];
    private bool _isOut;
    private bool _isCounting = true;
    private int _sending;

    public ElectionWorld(Election election, Receipts receipts)
    {
        _election = election;
        Receipts = receipts;
        Time = new(election.Seed);
        Log = new(Time, PartitionCount);
        Rows = [.. Enumerable.Range(0, PartitionCount).Select(partition => new MemoryBallots(partition))];
        _clock = new(Time, TimeSpan.Zero);
        _others = new(Time);
        _shared = new(this, _clock);
        _fates = new(election.Fates);
        Map = new(
            Options.Create(new ShardOptions()), Options.Create(new DatabaseOptions { ConnectionString = "Host=none" }),
            Options.Create(new LogOptions { VotePartitions = PartitionCount }));
    }

    public SimulatedTime Time { get; }

    public SimulatedLog Log { get; }

    public MemoryBallots[] Rows { get; }

    public Receipts Receipts { get; }

    public ShardMap Map { get; }

    public SurveyStatus Status { get; private set; } = SurveyStatus.Published;

    public List<Attempt> Attempts { get; } = [];

    /// <summary>Asks the database.</summary>
    public Task<T> Ask<T>(Func<T> answer) =>
        Time.Ask(Time.Chance(5) ? 1_000 : 40, () => _isOut ? throw new IOException("No answer.") : answer());

    public Survey SurveyAs(SurveyStatus status) => new(
        new(SurveyId, "Title", status, DateTimeOffset.UnixEpoch,
            status is SurveyStatus.Published ? null : DateTimeOffset.UnixEpoch, ResultsVisibility.Live, 1,
            [new(SurveyId, "Question", 1, 1, 0, false,
                [.. Enumerable.Range(1, 3).Select(option => new PublicOption(option, "Option", null, option))])],
            null, 1),
        new(false, [], null, null), null, null, Secret);

    /// <summary>From the first request to the last fence's being counted.</summary>
    public async Task RunAsync()
    {
        for (var i = 0; i < Processes; i++) _processes[i] = Start(i);
        foreach (var sending in _election.Sendings) Time.After(sending.At, () => Go(() => SendAsync(sending)));
        foreach (var trouble in _election.Troubles)
            Time.After(trouble is Trouble.PauseDuring ? 0 : trouble.At, () => Meet(trouble));
        Time.After(_election.ClosesAt, () => Status = SurveyStatus.Closing);
        Go(CloseAsync);
        foreach (var partition in Enumerable.Range(0, PartitionCount)) Go(() => CountAsync(partition));
        Time.RunUntil(TimeSpan.FromSeconds(80));
        foreach (var failed in _running.Where(task => task.IsFaulted)) await failed;
        Assert.Equal(0, _sending);
        for (var partition = 0; partition < PartitionCount; partition++)
        {
            await CountBatchAsync(partition, int.MaxValue);
            Assert.True(Rows[partition].Fences.ContainsKey(SurveyId), "The survey was never fenced off.");
        }
    }

    public static VoterCaller Voter(int number) => new()
    {
        VoterId = new byte[16],
        SessionId = new byte[16],
        BallotSubject = [(byte)(number % PartitionCount * 256 / PartitionCount), .. new byte[14], (byte)number],
        Verified = true,
        Risk = 0,
        Device = null,
        IssuedAt = DateTimeOffset.UnixEpoch,
        ExpiresAt = DateTimeOffset.MaxValue,
    };

    public static VoteIdentity Identity(int voter, int option) => VoteIdentity.Of(
        Secret, Voter(voter).BallotSubject, new Ballot([new(SurveyId, [option], null)]), PartitionCount);

    private SimulatedProcess Start(int number) => new(
        this, TimeSpan.FromSeconds(_election.SkewSeconds[number]),
        clock => _election.IsShared ? _shared : new InProcessReservations(1_000, clock), _fates, _election.LosesSends);

    // Never on the pool's threads, whose order nobody draws.
    private void Go(Func<Task> run) => _others.Post(_ => _running.Add(run()), null);

    private void Meet(Trouble trouble)
    {
        switch (trouble)
        {
            case Trouble.Pause pause:
                Pause(pause.Process, pause.For);
                break;
            case Trouble.PauseDuring pause:
                var sending = _election.Sendings[pause.Sending % _election.Sendings.Length];
                Time.At((sending.At + pause.At) * TimeSpan.TicksPerMillisecond,
                    () => Pause(sending.Process, pause.For));
                break;
            case Trouble.Kill kill:
                _processes[kill.Process].Machine.IsDead = true;
                _processes[kill.Process] = Start(kill.Process);
                break;
            case Trouble.Forget:
                _shared.Forget();
                break;
            case Trouble.Outage outage:
                _isOut = true;
                Time.After(outage.For, () => _isOut = false);
                break;
            case Trouble.CountingStops stop:
                _isCounting = false;
                Time.After(stop.For, () => _isCounting = true);
                break;
        }
    }

    private void Pause(int process, int milliseconds)
    {
        var machine = _processes[process].Machine;
        machine.IsPaused = true;
        Time.After(milliseconds, () => machine.IsPaused = false);
    }

    private async Task SendAsync(Sending sending)
    {
        _sending++;
        for (var attempt = 0; attempt < sending.Patience; attempt++)
        {
            var beganAt = Time.Now;
            var process = _processes[(sending.Process + attempt) % Processes];
            var request = new CastRequest(
                Voter(sending.Voter), SurveyId, [new(SurveyId, [sending.Option], null)], null);
            var answer = process.CastAsync(request);
            // A client that hears nothing gives up, and asks another process.
            await Task.WhenAny(answer, Task.Delay(TimeSpan.FromSeconds(10), _clock));
            var outcome = answer.IsCompleted ? (await answer).Outcome : null;
            Attempts.Add(new(sending, beganAt, Time.Now, outcome));
            if (outcome is not (null or CastVoteOutcome.Unknown or CastVoteOutcome.Overloaded
                or CastVoteOutcome.NoSuchSurvey)) break;
            await Task.Delay(TimeSpan.FromMilliseconds(Time.Draw(0, 400)), _clock);
        }

        _sending--;
    }

    /// <summary>The closing loop's own rule of when, over a log that its fences reach late.</summary>
    private async Task CloseAsync()
    {
        var patience = new FencePatience(_clock);
        while (true)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(250), _clock);
            if (Status is SurveyStatus.Closing && patience.IsOver(SurveyId, Lease)) break;
        }

        var log = new SimulatedLog.Client(Log, new(Time), new());
        for (var partition = 0; partition < PartitionCount; partition++)
        {
            var fence = new SurveyClosed(SurveyId, partition, DateTimeOffset.UnixEpoch);
            await log.AppendAsync(
                new(VotingTopics.Votes, partition), new LogRecord(default, fence.ToBytes(Mac)), CancellationToken.None);
        }
    }

    private async Task CountAsync(int partition)
    {
        while (true)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(Time.Draw(5, 500)), _clock);
            if (_isCounting) await CountBatchAsync(partition, Time.Draw(1, 4));
        }
    }

    /// <summary>A batch by a worker that may end before its commit, or right after it.</summary>
    private async Task CountBatchAsync(int partition, int countMax)
    {
        var rows = Rows[partition];
        var count = _counts[partition] ??= new(
            partition, await rows.LoadAsync(partition, CancellationToken.None), rows,
            _ => SurveyAs(SurveyStatus.Published), _clock);
        var batch = Log.Partitions[partition].Skip((int)count.NextOffset).Take(countMax)
            .Select(record => ReadRecord.Of(record, Mac)).ToList();
        if (batch.Count == 0) return;
        rows.CrashesBeforeCommit = countMax < int.MaxValue && Time.Chance(10);
        try
        {
            await count.CountAsync(batch, CancellationToken.None);
        }
        catch (ProcessEndedException)
        {
            _counts[partition] = null;
        }

        rows.CrashesBeforeCommit = false;
        if (Time.Chance(20)) _counts[partition] = null;
    }
}
