using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Platform;
using Voting;

namespace VotingTests;

public sealed class ReportLagTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_log_that_does_not_answer_ends_no_consumer_and_leaves_no_old_figure()
    {
        await using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var meters = services.GetRequiredService<IMeterFactory>();
        var (log, clock) = (new AskedLog(), new FakeTimeProvider());
        using var report = new ReportLag(log, clock, meters, NullLogger<ReportLag>.Instance);
        var measured = new List<long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listening) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, meters)) listening.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, lag, _, _) => measured.Add(lag));
        listener.Start();

        await report.StartAsync(Cancel);
        Assert.Equal(3, Assert.Single(await SeenAsync()));
        log.Answer = () => throw new TimeoutException();
        Assert.Empty(await SeenAsync());
        log.Answer = () => new Dictionary<int, long> { [0] = 7 };
        Assert.Equal(7, Assert.Single(await SeenAsync()));
        Assert.False(report.ExecuteTask!.IsCompleted);
        await report.StopAsync(Cancel);

        // The loop is at its next question when it has done with this one.
        async Task<long[]> SeenAsync()
        {
            var asked = log.AskedCount;
            while (log.AskedCount < asked + 2)
            {
                clock.Advance(TimeSpan.FromSeconds(5));
                await Task.Delay(5, Cancel);
            }

            measured.Clear();
            listener.RecordObservableInstruments();
            return [.. measured];
        }
    }

    private sealed class AskedLog : IEventLog
    {
        private int _askedCount;

        public int AskedCount => Volatile.Read(ref _askedCount);

        public Func<Dictionary<int, long>> Answer { get; set; } = () => new() { [0] = 3 };

        public ValueTask<IReadOnlyDictionary<int, long>> LagAsync(
            string group, string topic, CancellationToken cancel)
        {
            Interlocked.Increment(ref _askedCount);
            return new(Answer());
        }

        public int PartitionCount(string topic) => throw new NotSupportedException();

        public ValueTask<long> AppendAsync(TopicPartition to, LogRecord record, CancellationToken cancel) =>
            throw new NotSupportedException();

        public Task<long[]> AppendAsync(
            TopicPartition to, IReadOnlyList<LogRecord> records, CancellationToken cancel) =>
            throw new NotSupportedException();

        public ValueTask<LogRange> RangeAsync(TopicPartition of, CancellationToken cancel) =>
            throw new NotSupportedException();

        public ILogReader OpenReader(TopicPartition from, long offset) => throw new NotSupportedException();

        public Task ConsumeAsync(
            string group, string topic, Func<IOwnedPartition, CancellationToken, Task> work, CancellationToken stop) =>
            throw new NotSupportedException();
    }
}
