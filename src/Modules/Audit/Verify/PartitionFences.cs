namespace Audit;

/// <summary>Where surveys end in one partition. Not thread safe.</summary>
internal sealed class PartitionFences(int partition, SurveyFacts surveys)
{
    // As a rule one a survey: appended again, it changes nothing.
    private readonly Dictionary<int, List<long>> _found = [];

    public void Add(int survey, long offset)
    {
        // Set aside by counting, and settled: it ends nothing.
        if (surveys.IsDismissed(partition, offset)) return;
        if (_found.TryGetValue(survey, out var fences)) fences.Add(offset);
        else _found.Add(survey, [offset]);
    }

    /// <returns>Whether a vote at that offset is too late.</returns>
    public bool IsBehind(int survey, long offset) => Of(survey) is { } fence && fence < offset;

    /// <summary>Compares the fence that a result was counted up to with what stands in the partition.</summary>
    /// <param name="log">The partition's log.</param>
    /// <param name="result">A final result.</param>
    /// <param name="fence">The fence that it names.</param>
    /// <param name="end">The first offset that the archive does not hold.</param>
    /// <exception cref="BrokenEvidenceException">The first fence is another one.</exception>
    public void Require(string log, SignedResult result, long fence, long end)
    {
        if (fence >= end)
        {
            throw new BrokenEvidenceException(new(
                log, null, null, Problems.Undecided,
                $"Survey {result.Survey} is final, and the archive does not reach its fence at offset {fence}."));
        }

        var first = _found.TryGetValue(result.Survey, out var fences) ? fences[0] : -1;
        if (first != fence)
        {
            throw new BrokenEvidenceException(new(
                log, null, null, Problems.Fence, $"Survey {result.Survey} was counted up to offset {fence}, and its "
                + (first < 0 ? "fence is not here." : $"first fence stands at {first}.")));
        }
    }

    private long? Of(int survey) => _found.TryGetValue(survey, out var fences) ? fences[0] : null;
}
