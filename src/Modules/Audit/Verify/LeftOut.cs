namespace Audit;

/// <summary>
/// What lies where a log's objects belong and no checkpoint of the log names. Whoever may put can put it there, so it
/// is no evidence, neither of the log nor against it.
/// </summary>
internal sealed class LeftOut
{
    private long _count;
    private long _refusedCount;
    private string? _firstKey;

    /// <summary>What is wrong with what lies in the place of the log's next checkpoint.</summary>
    public Finding? Next { get; set; }

    /// <param name="key">Of what was left out.</param>
    /// <param name="count">How many versions of it.</param>
    public void Add(string key, int count = 1)
    {
        if (count <= 0) return;
        _count += count;
        _firstKey ??= key;
    }

    /// <summary>Of what is left out, the store refuses to give one more.</summary>
    public void AddRefused() => _refusedCount++;

    /// <returns>A sentence for the report; null when nothing was left out.</returns>
    /// <param name="of">The log, or what else it was left out of.</param>
    public string? Note(string of) => _count == 0 ? null : string.Create(null,
        $"{of}: {_count} objects or versions of objects that nothing signed names were left out, {_refusedCount} of "
        + $"them refused by the store; the first: {_firstKey}.{(Next is { } next ? $" {next.Detail}" : "")}");
}
