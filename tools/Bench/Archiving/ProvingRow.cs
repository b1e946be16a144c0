using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;

namespace Bench;

/// <summary>How long after its 202 the proof of a vote is served, while little is going on.</summary>
internal static class ProvingRow
{
    public const string Name = "proving";

    private const double SecondsMax = 5;
    private const double VotesASecond = 5;

    // Of what came before, until the process has loaded and compiled.
    private const int Beforehand = 5;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static async Task<Row> MeasureAsync(
        Site site, Sizes sizes, Action<string> progress, CancellationToken cancel)
    {
        progress("Proving: casting now and then, and asking for proofs ...");
        var api = await site.StartHostAsync("api,backoffice", cancel);
        var audit = await site.StartHostAsync("audit", cancel);
        var voters = await site.NewVotersAsync(sizes.ProvedVotes + Beforehand, api, cancel);
        var paper = await site.PublishAsync(api, cancel);
        await Task.Delay(CastingRow.News, cancel);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        var begun = Stopwatch.GetTimestamp();
        var seconds = await Task.WhenAll(voters.Select(async (token, voter) =>
        {
            var due = TimeSpan.FromSeconds(voter / VotesASecond) - Stopwatch.GetElapsedTime(begun);
            if (due > TimeSpan.Zero) await Task.Delay(due, cancel);
            return await ProveAsync(http, api, audit, paper, voter, token, cancel);
        }));
        double[] sorted = [.. seconds.Skip(Beforehand).Order()];
        return new(Name, $"from the 202 to the vote's proof, at {VotesASecond:0} votes/s",
        [
            new("p50", "s", null, Statistics.Percentile(sorted, 0.5), null),
            new("p99", "s", null, Statistics.Percentile(sorted, 0.99),
                new($"< {SecondsMax:0} s", measure => measure.Us < SecondsMax)),
        ],
        new Dictionary<string, double> { ["votes"] = sorted.Length, ["most, s"] = sorted[^1] },
        []);
    }

    /// <returns>Seconds between the receipt and the proof.</returns>
    private static async Task<double> ProveAsync(
        HttpClient http, HostProgram api, HostProgram audit, BallotPaper paper, int voter, string token,
        CancellationToken cancel)
    {
        var ballots = new Uri(api.Public, $"/v1/surveys/{paper.Id}/votes");
        using var request = new HttpRequestMessage(HttpMethod.Post, ballots)
        {
            Content = new StringContent(paper.Body(voter), System.Text.Encoding.UTF8, "application/json"),
            Headers = { Authorization = new("Bearer", token) },
        };
        using var answer = await http.SendAsync(request, cancel);
        var body = await answer.Content.ReadAsStringAsync(cancel);
        if (answer.StatusCode is not HttpStatusCode.Accepted)
            throw new BrokenOffException($"A ballot is answered {answer.StatusCode}: {body}");
        var accepted = Stopwatch.GetTimestamp();
        var proof = new Uri(audit.Public, $"/v1/votes/{JsonNode.Parse(body)!["voteId"]}/proof");
        while (true)
        {
            using var proved = await http.GetAsync(proof, cancel);
            var taken = Stopwatch.GetElapsedTime(accepted);
            if (proved.IsSuccessStatusCode) return taken.TotalSeconds;
            if (proved.StatusCode is not HttpStatusCode.NotFound || taken > Patience)
                throw new BrokenOffException($"A proof is answered {proved.StatusCode} after {taken.TotalSeconds} s.");
            await Task.Delay(Look, cancel);
        }
    }
}
