using System.Globalization;

namespace Demo;

/// <summary>Recounts a survey that is over, whoever voted in it.</summary>
internal static class RecountSurvey
{
    /// <returns>The exit code: 0 if every number agrees, else 1.</returns>
    /// <exception cref="MisuseException">There is no such survey, or it has no final result yet.</exception>
    public static async Task<int> RunAsync(string id, Target target, Report report, CancellationToken cancel)
    {
        using var client = new Client(new Ledger(), TimeProvider.System);
        var staff = new Staff(client, target, TimeProvider.System);
        var rows = new Recount(target.Database);
        await staff.ReachAsync(cancel);
        await rows.ReachAsync(cancel);

        var results = await staff.ReadResultsAsync(id, cancel);
        if (results.Status == 404 || !int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var survey))
            throw new MisuseException($"There is no published survey {id}.");
        if (results is not { Status: 200, Body: { } body })
            throw new BrokenOffException($"The results cannot be read: {results}");
        if (results.Text("status") is not "final") throw new MisuseException($"Survey {id} has no final result yet.");

        var recount = await rows.RunAsync(survey, cancel);
        var title = body.GetProperty("survey").GetProperty("title").GetString() ?? "";
        return report.Show(new Survey(id, title, []), Tally.Of(body), recount);
    }
}
