namespace ChaosTests;

/// <summary>Waits on conditions. Nothing here passes because time has passed.</summary>
internal static class Until
{
    /// <summary>Generous: the machine may be doing many other things. A test that needs it all has failed.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Waits until the condition holds; fails by name if it does not in time.</summary>
    public static async Task HoldsAsync(string what, Func<Task<bool>> condition)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(began) > Deadline) Assert.Fail($"Waited in vain: {what}.");
            await Task.Delay(Pause, TestContext.Current.CancellationToken);
        }
    }
}
