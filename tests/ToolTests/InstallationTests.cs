using System.Net;
using System.Security.Cryptography;
using Testing;

namespace ToolTests;

public sealed class InstallationTests(Postgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Processes_of_one_installation_know_the_same_voters_and_outlive_each_other()
    {
        await using var installation = await Installation.StartAsync(postgres, ["all", "all"], cancel: Cancel);
        var (first, second) = (installation.Hosts[0], installation.Hosts[1]);

        var voters = await installation.NewVotersAsync(3, first, Cancel);
        Assert.Equal(3, voters.Select(voter => voter.VoterId).Distinct().Count());
        Assert.Equal(HttpStatusCode.OK, await SessionsAsync(second, voters[0]));

        await first.KillAsync();
        Assert.True(first.HasExited);
        Assert.Equal(HttpStatusCode.OK, await SessionsAsync(second, voters[1]));

        var third = await installation.StartHostAsync("all", cancel: Cancel);
        Assert.Equal(HttpStatusCode.OK, await SessionsAsync(third, voters[2]));
        Assert.Equal(0, await third.TerminateAsync(Cancel));
    }

    [Fact]
    public async Task An_installation_with_a_master_key_of_its_own_opens_its_keys()
    {
        var settings = new Dictionary<string, string>
        {
            ["Keys__MasterKey"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
        };
        await using var installation = await Installation.StartAsync(postgres, ["all"], settings, Cancel);

        Assert.Single(await installation.NewVotersAsync(1, cancel: Cancel));
    }

    [Fact]
    public async Task A_paused_process_answers_once_it_goes_on()
    {
        await using var installation = await Installation.StartAsync(postgres, ["all"], cancel: Cancel);
        var host = installation.Hosts[0];

        await host.PauseAsync();
        var answer = host.Public.GetAsync("/v1/surveys", Cancel);
        await Assert.ThrowsAsync<TimeoutException>(() => answer.WaitAsync(TimeSpan.FromSeconds(1), Cancel));
        host.Resume();

        Assert.Equal(HttpStatusCode.OK, (await answer).StatusCode);
    }

    [Fact]
    public async Task A_staff_token_opens_what_only_staff_may_see()
    {
        await using var installation = await Installation.StartAsync(postgres, ["all"], cancel: Cancel);
        using var stranger = await installation.Internal.GetAsync("/v1/internal/surveys", Cancel);
        Assert.Equal(HttpStatusCode.Unauthorized, stranger.StatusCode);

        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/internal/surveys");
        request.Headers.Authorization = new("Bearer", await installation.StaffTokenAsync("manager"));
        using var answer = await installation.Internal.SendAsync(request, Cancel);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_process_that_does_not_start_is_reported_with_its_last_words()
    {
        var failure = await Assert.ThrowsAsync<ProcessFailedException>(() => Installation.StartAsync(
            postgres, ["all"], new Dictionary<string, string> { ["Voting__Laese"] = "00:00:02" }, Cancel));

        Assert.Contains("exit code 2", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Voting__Laese", failure.Message, StringComparison.Ordinal);
    }

    private static async Task<HttpStatusCode> SessionsAsync(HostProcess host, SignedInVoter voter)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/auth/sessions");
        request.Headers.Authorization = new("Bearer", voter.AccessToken);
        using var answer = await host.Public.SendAsync(request, Cancel);
        return answer.StatusCode;
    }
}
