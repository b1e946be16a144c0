namespace Audit;

/// <summary>
/// Reads the outcomes of one log in their order, each once, and finds those that nobody who counts has said. Not thread
/// safe.
/// </summary>
/// <remarks>
/// After a restart outcomes are said again, as the same bytes. What is said again otherwise, is of a vote that does not
/// stand at its offset, or cannot be read was written by somebody else. It stays in the log, so it is found once and
/// passed over from then on: the votes around it are compared all the same.
/// </remarks>
internal sealed class OutcomeSource(
    SealedLog log, SealedSource source, ReconciledTable table, VotingRows rows, DifferenceTable differences,
    TimeSpan waitMax, TimeProvider clock)
{
    private const int AgainCountMax = 1_000;

    private readonly SaidBefore _saidBefore = new(log, table.Database);
    private readonly int _partition = log.Sources[0].Partition!.Value;
    private readonly List<SaidAgain> _again = [];
    private readonly List<Difference> _found = [];
    private HashSet<long>? _known;
    private long _end;

    /// <summary>Where reading goes on.</summary>
    public long Next => source.Next;

    /// <summary>Whether the next outcome is of a vote that has to be archived first: nothing lacks one.</summary>
    public bool IsWaiting { get; private set; }

    public void Advance() => source.Advance();

    /// <param name="seen">Everything below has been brought together with its outcome.</param>
    /// <param name="isWhole">Whether every outcome below is archived where it can be read.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>The next outcome of what has not; null when there is none, or its vote has to come first.</returns>
    public async Task<JudgedOutcome?> NextAsync(long seen, bool isWhole, CancellationToken cancel)
    {
        IsWaiting = false;
        _known ??= await table.StrangeOutcomesAsync(log.Name, cancel);
        while (await source.TryPeekAsync(cancel))
        {
            var current = source.Current;
            if (_known.Contains(current.Offset))
            {
                source.Advance();
            }
            else if (JudgedOutcome.Read(current.Event) is not { } outcome || outcome.Partition != _partition)
            {
                Find(current.Offset, null, "It cannot be read as an outcome of the partition.");
            }
            else if (outcome.Of < seen)
            {
                if (isWhole) _again.Add(new(current.Offset, current.Index, Digest.Of(current.Event), outcome));
                source.Advance();
                if (_again.Count == AgainCountMax) await CheckAgainAsync(cancel);
            }
            else if (await IsArchivedAsync(outcome.Of, cancel))
            {
                return outcome;
            }
            else if (clock.GetUtcNow() - current.SealedAt < waitMax || await IsCountedAsync(outcome.Of, cancel))
            {
                IsWaiting = true;
                return null;
            }
            else
            {
                Find(current.Offset, outcome.Survey, $"There is no record at offset {outcome.Of} of the votes.");
            }
        }

        return null;
    }

    /// <summary>The outcome that was given last is of another vote than the one at its offset.</summary>
    public void Refuse(JudgedOutcome outcome) => Find(
        source.Current.Offset, outcome.Survey,
        $"It is of a vote that does not stand at offset {outcome.Of} of the votes.");

    /// <summary>Writes down what was found so far. A repeat changes nothing.</summary>
    public async Task ReportAsync(CancellationToken cancel)
    {
        await CheckAgainAsync(cancel);
        if (_found.Count == 0) return;
        await differences.ReportAsync(
            new(
                DifferenceAreas.Reconciliation, log.Name, [DifferenceKinds.OutcomeUnknown], long.MaxValue,
                long.MaxValue),
            _found, cancel);
        _found.Clear();
    }

    private async Task CheckAgainAsync(CancellationToken cancel)
    {
        if (_again.Count == 0) return;
        var before = await _saidBefore.FindAsync(_again, cancel);
        foreach (var one in _again.Where(one => !before.Contains(one.Index)))
        {
            Add(one.Offset, one.Outcome.Survey,
                $"The record at offset {one.Outcome.Of} of the votes had another outcome before, or none.");
        }

        _again.Clear();
    }

    private void Find(long offset, int? survey, string why)
    {
        Add(offset, survey, why);
        source.Advance();
    }

    private void Add(long offset, int? survey, string why)
    {
        _known!.Add(offset);
        _found.Add(new(
            DifferenceKinds.OutcomeUnknown, survey, offset,
            $"Nobody who counts has said what stands at offset {offset} of the outcomes. {why}"));
    }

    private async Task<bool> IsArchivedAsync(long offset, CancellationToken cancel)
    {
        if (offset >= _end) _end = await table.PublishedToAsync(log.Name, log.Sources[0], cancel);
        return offset < _end;
    }

    /// <summary>Before an outcome is told, the shard has passed its vote: that is archived sooner or later.</summary>
    private async Task<bool> IsCountedAsync(long offset, CancellationToken cancel) =>
        offset < (await rows.Votes(new(_partition, long.MaxValue, long.MaxValue), cancel)).NextOffset;
}

/// <summary>An outcome of what has one already.</summary>
/// <param name="Offset">Its own, in <c>vote-outcomes</c>.</param>
/// <param name="Index">Of the entry in the log.</param>
/// <param name="Entry">SHA-256 of its bytes.</param>
/// <param name="Outcome">What it says.</param>
internal sealed record SaidAgain(long Offset, long Index, Digest Entry, JudgedOutcome Outcome);

/// <summary>Looks for outcomes further up in a log, among the entries of its tree.</summary>
internal sealed class SaidBefore(SealedLog log, AuditDatabase database)
{
    // 512 KB a query. What is honestly said again stands a few thousand entries further up.
    private const int TileCount = 64;

    private readonly TileTable _tiles = new(database);

    /// <returns>Indices of those whose bytes stand in front of them, as outcomes.</returns>
    public async Task<HashSet<long>> FindAsync(IReadOnlyList<SaidAgain> again, CancellationToken cancel)
    {
        var wanted = again.ToLookup(one => one.Entry);
        var left = again.Select(one => one.Index).ToHashSet();
        for (var end = again.Max(one => one.Index); end > 0 && left.Count > 0;)
        {
            var last = (end - 1) / TileId.FullWidth;
            var first = Math.Max(0, last - TileCount + 1);
            var places = await PlacesAsync(wanted, first, last, cancel);
            var outcomes = await OutcomesAsync([.. places.Select(one => one.Index).Distinct()], cancel);
            foreach (var (index, entry) in places.Where(one => outcomes.Contains(one.Index)))
                left.ExceptWith(wanted[entry].Where(one => one.Index > index).Select(one => one.Index));
            end = first * TileId.FullWidth;
        }

        return [.. again.Select(one => one.Index).Where(index => !left.Contains(index))];
    }

    private async Task<List<(long Index, Digest Entry)>> PlacesAsync(
        ILookup<Digest, SaidAgain> wanted, long first, long last, CancellationToken cancel)
    {
        var asked = new List<TileId>();
        for (var tile = first; tile <= last; tile++) asked.Add(new(TileId.EntriesLevel, tile, TileId.FullWidth));
        var read = await _tiles.ReadAsync(log.Name, asked, cancel);
        var places = new List<(long, Digest)>();
        for (var i = 0; i < asked.Count; i++)
        {
            var entries = Digest.Sequence(read[i].Span);
            for (var at = 0; at < entries.Length; at++)
            {
                if (wanted.Contains(entries[at])) places.Add((asked[i].Index * TileId.FullWidth + at, entries[at]));
            }
        }

        return places;
    }

    /// <summary>Whoever may write to the votes could have put the same bytes there.</summary>
    private async Task<HashSet<long>> OutcomesAsync(long[] indices, CancellationToken cancel)
    {
        if (indices.Length == 0) return [];
        await using var query = database.Control.CreateCommand("""
            SELECT asked.index FROM unnest($3) AS asked (index)
            CROSS JOIN LATERAL (
                SELECT checkpoint FROM audit.segments
                WHERE log = $1 AND first_index <= asked.index ORDER BY first_index DESC LIMIT 1) AS s
            JOIN audit.ranges r ON r.log = $1 AND r.source = $2 AND r.checkpoint = s.checkpoint
                AND asked.index >= r.first_index AND asked.index < r.first_index + r.entries
            """);
        query.Parameters.Add(new() { Value = log.Name });
        query.Parameters.Add(new() { Value = log.Sources[1].Name });
        query.Parameters.Add(new() { Value = indices });
        await using var rows = await query.ExecuteReaderAsync(cancel);
        var outcomes = new HashSet<long>();
        while (await rows.ReadAsync(cancel)) outcomes.Add(rows.GetInt64(0));
        return outcomes;
    }
}
