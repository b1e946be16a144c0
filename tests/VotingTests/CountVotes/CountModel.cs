using Voting;

namespace VotingTests;

/// <summary>What one record of the partition is, as a test draws it.</summary>
internal abstract record Drawn
{
    internal sealed record Ballot(int Survey, int Voter, int Option) : Drawn;

    /// <summary>A ballot of another partition's voter.</summary>
    internal sealed record Stray(int Survey, int Voter) : Drawn;

    internal sealed record Fence(int Survey) : Drawn;

    internal sealed record StrayFence(int Survey) : Drawn;

    internal sealed record Garbage : Drawn;

    /// <summary>A ballot under a key that counting has not been given before everything else was counted.</summary>
    internal sealed record Sealed(int Survey, int Voter, int Option) : Drawn;

    /// <summary>A replay of one of the sealed ballots before it: which one follows from the number.</summary>
    internal sealed record Replay(int Number) : Drawn;

    /// <summary>A replay that names what never was set aside.</summary>
    internal sealed record StrayReplay(int Voter) : Drawn;
}

/// <summary>
/// What becomes of records, decided in the plainest way: one by one, in order, with everything in view.
/// </summary>
internal sealed class CountModel
{
    public const int Surveys = 2;
    public const int OptionsOffered = 3;

    private readonly HashSet<int> _closed = [];
    private readonly HashSet<int> _replayed = [];
    private readonly Dictionary<(int, int), int> _first = [];

    /// <summary>Kind, reason, and offset of the one before; by offset.</summary>
    public SortedDictionary<long, (OutcomeKind Kind, string? Reason, long Previous)> Outcomes { get; } = [];

    public HashSet<long> Poison { get; } = [];

    public Dictionary<int, long> Fences { get; } = [];

    public Dictionary<(int Survey, int Option), long> Votes { get; } = [];

    /// <param name="records">From the first offset on.</param>
    /// <param name="dismissed">Those that an operator settled before any replay came.</param>
    public static CountModel Of(IReadOnlyList<Drawn> records, IReadOnlySet<int> dismissed)
    {
        var model = new CountModel();
        for (var offset = 0; offset < records.Count; offset++)
        {
            switch (records[offset])
            {
                case Drawn.Ballot ballot:
                    model.Add(offset, model.Judge(ballot, offset));
                    break;
                case Drawn.Replay { Number: var number }:
                    var place = PlaceOf(records, offset, number);
                    if (place < 0) model.Poison.Add(offset);
                    else model.Add(offset, model.Judge((Drawn.Sealed)records[place], place, dismissed.Contains(place)));
                    break;
                case Drawn.StrayReplay:
                    model.Add(offset, (OutcomeKind.Rejected, "invalid"));
                    break;
                case Drawn.Fence fence:
                    if (model._closed.Add(fence.Survey)) model.Fences.Add(fence.Survey, offset);
                    break;
                default:
                    model.Poison.Add(offset);
                    break;
            }
        }

        return model;
    }

    /// <returns>Where the ballot stands that a replay is of; -1 when there is none.</returns>
    public static int PlaceOf(IReadOnlyList<Drawn> records, int replay, int number)
    {
        var sealedOnes = Enumerable.Range(0, replay).Where(place => records[place] is Drawn.Sealed).ToArray();
        return sealedOnes.Length == 0 ? -1 : sealedOnes[number % sealedOnes.Length];
    }

    private void Add(long offset, (OutcomeKind Kind, string? Reason) end) =>
        Outcomes.Add(offset, (end.Kind, end.Reason, Outcomes.Count == 0 ? -1 : Outcomes.Last().Key));

    private (OutcomeKind Kind, string? Reason) Judge(Drawn.Sealed ballot, int place, bool isDismissed)
    {
        if (isDismissed) return (OutcomeKind.Rejected, "invalid");
        return _replayed.Add(place)
            ? Judge(new Drawn.Ballot(ballot.Survey, ballot.Voter, ballot.Option), place)
            : (OutcomeKind.Repeated, null);
    }

    private (OutcomeKind Kind, string? Reason) Judge(Drawn.Ballot ballot, int place)
    {
        var known = _first.TryGetValue((ballot.Survey, ballot.Voter), out var option);
        var isLate = Fences.TryGetValue(ballot.Survey, out var fence) && fence < place;
        if (ballot.Survey > Surveys || ballot.Option > OptionsOffered)
            return (OutcomeKind.Rejected, isLate ? "after-close" : "invalid");
        if (known && option == ballot.Option) return (OutcomeKind.Repeated, null);
        if (isLate) return (OutcomeKind.Rejected, "after-close");
        if (known) return (OutcomeKind.Rejected, "duplicate");
        _first.Add((ballot.Survey, ballot.Voter), ballot.Option);
        Votes[(ballot.Survey, ballot.Option)] = Votes.GetValueOrDefault((ballot.Survey, ballot.Option)) + 1;
        return (OutcomeKind.Counted, null);
    }
}
