namespace Demo;

/// <summary>What staff do in an election.</summary>
internal sealed class Staff(Client client, Target target, TimeProvider clock)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>Makes sure that the platform can be reached at all, before anything is begun.</summary>
    /// <exception cref="MisuseException">It cannot, or it does not take the token.</exception>
    public async Task ReachAsync(CancellationToken cancel)
    {
        foreach (var port in target.Public)
            await AskAsync(port, () => Requests.Get(port, "/v1/surveys?limit=1"), cancel);
        await AskAsync(target.Internal,
            () => Requests.Get(target.Internal, "/v1/internal/surveys?limit=1", target.StaffToken), cancel);
    }

    /// <returns>The new draft.</returns>
    /// <exception cref="MisuseException">The platform refuses the file.</exception>
    public async Task<Survey> CreateAsync(SurveyFile file, CancellationToken cancel)
    {
        var answer = await client.SendAsync(
            () => Requests.Json(HttpMethod.Post, target.Internal, "/v1/internal/surveys", target.StaffToken, file.Body),
            cancel);
        return answer.Status switch
        {
            201 => Survey.Of(answer),
            >= 400 and < 500 => throw new MisuseException($"The platform does not take the survey: {answer}"),
            _ => throw new BrokenOffException($"The platform does not take the survey: {answer}"),
        };
    }

    /// <summary>Publishes or finishes.</summary>
    /// <param name="survey">The survey's id.</param>
    /// <param name="verb"><c>publish</c> or <c>finish</c>.</param>
    /// <param name="cancel">Ends the request.</param>
    public async Task PutAsync(string survey, string verb, CancellationToken cancel)
    {
        var path = $"/v1/internal/surveys/{survey}/{verb}";
        var answer = await client.SendAsync(
            () => Requests.Make(HttpMethod.Put, target.Internal, path, target.StaffToken), cancel);
        if (answer.Status != 200) throw new BrokenOffException($"The platform does not {verb} the survey: {answer}");
    }

    /// <summary>Asks every public port until it answers as it should.</summary>
    /// <param name="path">What is asked for.</param>
    /// <param name="isIt">Whether the answer is the one that is waited for.</param>
    /// <param name="timeout">Longest wait for all of them.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>The last answer of each port, whether it is the one that is waited for or not.</returns>
    public Task<Answer[]> WaitForAllAsync(
        string path, Func<Answer, bool> isIt, TimeSpan timeout, CancellationToken cancel)
    {
        var begun = clock.GetTimestamp();
        return Task.WhenAll(target.Public.Select(async port =>
        {
            while (true)
            {
                var answer = await client.SendAsync(() => Requests.Get(port, path), cancel);
                if (isIt(answer) || clock.GetElapsedTime(begun) > timeout) return answer;
                await Task.Delay(Poll, clock, cancel);
            }
        }));
    }

    /// <returns>The results as staff see them, hidden from the public or not.</returns>
    public Task<Answer> ReadResultsAsync(string survey, CancellationToken cancel) => client.SendAsync(
        () => Requests.Get(
            target.Internal, $"/v1/internal/surveys/{Uri.EscapeDataString(survey)}/results", target.StaffToken),
        cancel);

    private async Task AskAsync(Uri port, Func<HttpRequestMessage> make, CancellationToken cancel)
    {
        try
        {
            var answer = await client.AskOnceAsync(make, cancel);
            if (answer.Status is not (200 or 429 or 503))
                throw new MisuseException($"{port} is not the platform, or does not take the staff token: {answer}");
        }
        catch (Exception e) when (Client.IsNoAnswer(e, cancel))
        {
            throw new MisuseException($"The platform does not run at {port}: {e.Message}");
        }
    }
}
