namespace Bench;

/// <summary>What was measured of one path.</summary>
/// <param name="Name">As <c>--only</c> takes it.</param>
/// <param name="What">The path, in a few words.</param>
/// <param name="Measures">The figures that have a floor or a target, or stand in the table for what they are.</param>
/// <param name="Figures">Everything else that was seen, by name; the unit ends the name.</param>
/// <param name="Stages">What the path adds to a vote's CPU.</param>
internal sealed record Row(
    string Name, string What, IReadOnlyList<Measure> Measures, IReadOnlyDictionary<string, double> Figures,
    IReadOnlyList<Stage> Stages);

/// <summary>One figure: the median of its runs.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Unit">Of <paramref name="Floor"/> and <paramref name="Us"/>.</param>
/// <param name="Floor">The same, done by as little code as can do it; null when nothing can be compared.</param>
/// <param name="Us">Ours.</param>
/// <param name="Target">Null when there is none.</param>
internal sealed record Measure(string Name, string Unit, double? Floor, double Us, Target? Target)
{
    /// <summary>Ours in floors; null where there is none, or too little of it to be seen.</summary>
    public double? Ratio => Floor is > 0 ? Us / Floor : null;

    /// <summary>Whether the target is met; null when there is none.</summary>
    public bool? Met => Target is null ? null : Target.IsMet(this);
}

/// <summary>What a figure should be.</summary>
/// <param name="Text">For the table.</param>
/// <param name="IsMet">Judges it.</param>
internal sealed record Target(string Text, Func<Measure, bool> IsMet);

/// <summary>CPU that one vote costs in one stage of its way.</summary>
/// <param name="Name">The stage and the process.</param>
/// <param name="CpuMicroseconds">A vote.</param>
internal sealed record Stage(string Name, double CpuMicroseconds);

/// <summary>How much is measured.</summary>
internal sealed record Sizes(bool Quick)
{
    /// <summary>Of each figure; the median is told.</summary>
    public int Runs { get; init; } = Quick ? 1 : 5;

    /// <summary>Voters who are signed in; each casts one ballot a survey.</summary>
    public int Voters => Quick ? 100 : 6_000;

    /// <summary>Surveys whose ballots one run casts.</summary>
    public int SurveysARun => Quick ? 1 : 4;

    /// <summary>Connections of the load generator.</summary>
    public int Connections => Quick ? 16 : 64;

    /// <summary>Votes that one run counts, of each of the partitions.</summary>
    public int CountedAPartition => Quick ? 50 : 12_500;

    /// <summary>Votes that a consumer counts while it is watched once, of each of the partitions.</summary>
    public int WatchedAPartition => Quick ? 50 : 4_000;

    /// <summary>Streams that are held.</summary>
    public int Streams => Quick ? 200 : 15_000;

    /// <summary>Processes that hold the readers' ends of them: the system limits open files for each.</summary>
    public int ReaderProcesses => Quick ? 1 : 2;

    /// <summary>Frames sent to all streams before memory is read again.</summary>
    public int FramesBeforehand => Quick ? 1 : 8;

    /// <summary>Surveys in which voters vote at the same time while their streams are watched.</summary>
    public int WatchedSurveys => Quick ? 1 : 3;

    /// <summary>Rows that are there on average while growth is measured: before, and after.</summary>
    public (int Before, int After) GrowthRows => Quick ? (4_000, 8_000) : (300_000, 3_000_000);

    /// <summary>Votes that one run of growth counts, of each of the partitions.</summary>
    public int GrowthAPartition => Quick ? 50 : 2_000;

    /// <summary>
    /// Votes that are sealed, with their outcomes, while that is watched once, of each of the partitions: a full
    /// segment.
    /// </summary>
    public int ArchivedAPartition => Quick ? 50 : 10_000;

    /// <summary>Votes that are verified, with their outcomes, of each of the partitions: a full segment.</summary>
    public int VerifiedAPartition => Quick ? 50 : 10_000;

    /// <summary>Votes of which the proof is asked for.</summary>
    public int ProvedVotes => Quick ? 5 : 200;
}

/// <summary>Everything about one call of the benchmark.</summary>
internal sealed record Outcome(DateTimeOffset At, bool Quick, MachineFacts Machine, IReadOnlyList<Row> Rows)
{
    private const double VotesASecond = 240_000;

    /// <summary>CPU a vote by stage, with the cores that the promised load would take.</summary>
    public IEnumerable<object> Stages => Rows.SelectMany(row => row.Stages).Select(stage => new
    {
        stage.Name,
        stage.CpuMicroseconds,
        CoresAt240000 = CoresOf(stage.CpuMicroseconds),
    });

    /// <returns>Cores that are busy when every vote of 240,000 a second costs so much.</returns>
    public static double CoresOf(double microseconds) => microseconds * VotesASecond / 1_000_000;
}

internal static class Statistics
{
    /// <returns>The middle one; of an even count the upper of the two.</returns>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    /// <param name="sorted">Ascending, at least one.</param>
    /// <param name="share">0 to 1.</param>
    public static double Percentile(double[] sorted, double share) =>
        sorted[Math.Min(sorted.Length - 1, (int)(sorted.Length * share))];
}
