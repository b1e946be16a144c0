using System.Threading.Channels;

namespace Voting;

/// <summary>
/// Turns calls that come one by one into batches: while one batch is under way, the next
/// one gathers. Safe for use by many threads.
/// </summary>
/// <param name="run">Answers a batch, one response a request, in order. What it throws,
/// every call of the batch gets.</param>
/// <param name="batchCountMax">Largest batch, in calls.</param>
/// <param name="waitingCountMax">Most calls that wait; further ones are refused at once.</param>
internal sealed class BatchedCalls<TRequest, TResponse>(
    Func<IReadOnlyList<TRequest>, Task<TResponse[]>> run, int batchCountMax, int waitingCountMax)
{
    private readonly Channel<Call> _waiting = Channel.CreateBounded<Call>(waitingCountMax);
    private int _running;

    /// <exception cref="TooManyCallsException">Too many calls are waiting; nothing was done.</exception>
    public Task<TResponse> CallAsync(TRequest request)
    {
        var call = new Call(request);
        if (!_waiting.Writer.TryWrite(call)) throw new TooManyCallsException();
        if (Interlocked.CompareExchange(ref _running, 1, 0) == 0) _ = Task.Run(DrainAsync);
        return call.Response.Task;
    }

    private async Task DrainAsync()
    {
        do
        {
            while (_waiting.Reader.TryPeek(out _)) await RunAsync();
            Volatile.Write(ref _running, 0);
            // A call may have come after the last look and before the flag fell: then
            // whoever raises the flag drains it.
        }
        while (_waiting.Reader.TryPeek(out _) && Interlocked.CompareExchange(ref _running, 1, 0) == 0);
    }

    private async Task RunAsync()
    {
        var batch = new List<Call>();
        while (batch.Count < batchCountMax && _waiting.Reader.TryRead(out var call)) batch.Add(call);
        try
        {
            var responses = await run([.. batch.Select(call => call.Request)]);
            for (var i = 0; i < batch.Count; i++) batch[i].Response.SetResult(responses[i]);
        }
        catch (Exception e)
        {
            // The callers get it, each of them; the next batch has its own luck.
            foreach (var call in batch) call.Response.TrySetException(e);
        }
    }

    private sealed class Call(TRequest request)
    {
        public TRequest Request { get; } = request;

        public TaskCompletionSource<TResponse> Response { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>A queue is full. Nothing was done; try again later.</summary>
internal sealed class TooManyCallsException() : Exception("Too many calls are waiting.");
