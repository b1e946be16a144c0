using System.Globalization;

namespace Audit;

/// <summary>How far a verification is. Safe for use by many threads.</summary>
internal sealed class VerifyProgress
{
    private long _entries;
    private long _expected;

    /// <summary>Entries that were verified.</summary>
    public long Entries => Interlocked.Read(ref _entries);

    /// <summary>Entries that there will be; 0 where nobody knows.</summary>
    public long Expected => Interlocked.Read(ref _expected);

    public void Add(long entries) => Interlocked.Add(ref _entries, entries);

    public void Expect(long entries) => Interlocked.Add(ref _expected, entries);

    /// <summary>Draws one line again and again until it is told to end.</summary>
    /// <param name="terminal">Understands a carriage return.</param>
    /// <param name="clock">Four times a second.</param>
    /// <param name="end">Ends the drawing; the line is wiped out.</param>
    public async Task DrawAsync(TextWriter terminal, TimeProvider clock, CancellationToken end)
    {
        const int Width = 30;
        const string WipeOut = "\r\e[K";
        var begun = clock.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(250), clock);
        try
        {
            while (await timer.WaitForNextTickAsync(end))
            {
                var (entries, expected) = (Entries, Math.Max(Expected, Entries));
                var part = expected == 0 ? 0 : (double)entries / expected;
                var perSecond = entries / clock.GetElapsedTime(begun).TotalSeconds;
                var bar = new string('#', (int)(part * Width)).PadRight(Width, '.');
                await terminal.WriteAsync(string.Create(CultureInfo.InvariantCulture,
                    $"{WipeOut}[{bar}] {part,4:P0}  {entries:N0} entries, {perSecond:N0}/s"));
                await terminal.FlushAsync(CancellationToken.None);
            }
        }
        catch (OperationCanceledException)
        {
            await terminal.WriteAsync(WipeOut);
        }
    }
}
