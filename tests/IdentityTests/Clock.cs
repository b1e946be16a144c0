namespace IdentityTests;

/// <summary>Stands still unless a test moves it, however slow the machine. Timers run: servers are real.</summary>
internal sealed class Clock : TimeProvider
{
    private long _utcTicks = System.GetUtcNow().UtcTicks;

    public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _utcTicks), TimeSpan.Zero);

    public void Advance(TimeSpan by) => Interlocked.Add(ref _utcTicks, by.Ticks);
}
