using Voting.Contracts;

namespace ResultsTests;

/// <summary>Surveys and tallies to test with.</summary>
internal static class Samples
{
    /// <summary>Survey 1 with one question (1) and two options (1, 2).</summary>
    public static PublicSurvey Survey(
        SurveyStatus status = SurveyStatus.Published, ResultsVisibility visibility = ResultsVisibility.Live,
        int liveBatchMin = 1, int id = 1) =>
        new(id, "Elections Survey", status, new(2026, 1, 15, 9, 0, 0, TimeSpan.Zero), null, visibility, liveBatchMin,
            [
                new(1, "Who would you vote for president?", 1, 2, 0, false,
                [
                    new(1, "Homer Simpson", "https://example.com/homer.jpg", 0),
                    new(2, "Ned “Neddy” Flanders", null, 1),
                ]),
            ], null, 1);

    /// <summary>As many ballots as votes for option 1.</summary>
    public static PartitionTally Tally(long version, long votes, int partition = 0, int survey = 1) =>
        new(survey, partition, version, votes, votes == 0 ? [] : [1], votes == 0 ? [] : [votes]);

    /// <returns>The same survey, signed.</returns>
    public static PublicSurvey Final(this PublicSurvey survey, long version, long votes) => survey with
    {
        Status = SurveyStatus.Finished,
        Revision = survey.Revision + 2,
        Final = new("statement", version, votes, new Dictionary<int, long> { [1] = votes },
            new(2026, 1, 15, 12, 0, 0, 5, TimeSpan.Zero)),
    };

    /// <returns>The same survey, finished and not yet signed.</returns>
    public static PublicSurvey Closing(this PublicSurvey survey) =>
        survey with { Status = SurveyStatus.Closing, Revision = survey.Revision + 1 };

    /// <summary>Survey 1 with one question of 500 options: a frame of some 14 KB.</summary>
    public static PublicSurvey Large()
    {
        var survey = Survey();
        return survey with
        {
            Questions = [survey.Questions[0] with
            {
                Options = [.. Enumerable.Range(1, 500).Select(i => new PublicOption(i, $"Option {i}", null, i))],
            }],
        };
    }
}
