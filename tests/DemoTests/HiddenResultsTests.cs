namespace DemoTests;

public sealed class HiddenResultsTests(RunningPlatform platform)
{
    [Fact]
    public async Task A_survey_of_which_nothing_is_shown_before_its_end_agrees()
    {
        var survey = Arrange.Survey("Secret until the end", "afterFinish");

        var election = await DemoRun.AgainstAsync(
            platform.Installation, "--survey", survey, "--voters", "21", "--json");

        Assert.True(election.ExitCode == 0, $"{election}");
    }
}
