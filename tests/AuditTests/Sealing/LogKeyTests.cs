using System.Text.Json;
using Audit;
using Testing;

namespace AuditTests;

/// <summary>A log changes its key: what was signed before, meanwhile and after is verified, and old keys end.</summary>
public sealed class LogKeyTests(Postgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_is_added_and_the_old_one_retired_and_all_that_was_signed_stays_verified()
    {
        await using var installation = await Installation.StartAsync(postgres, ["all"], new Dictionary<string, string>
        {
            ["Audit__SealAfter"] = "00:00:00.100",
        }, Cancel);
        var old = Assert.Single(await VerbAsync(installation, "list", "--log", "events"));
        await SealedAsync(installation, "auditor", old);

        var added = await VerbAsync(installation, "add");
        var young = Assert.Single(added, key => key.StartsWith("voting.localhost/events+", StringComparison.Ordinal));
        Assert.Equal([young, old], await VerbAsync(installation, "list", "--log", "events"));
        // Nothing is signed by the new key yet: whoever checks with it alone would be left without.
        var early = await Assert.ThrowsAsync<ProcessFailedException>(
            () => VerbAsync(installation, "retire", "--log", "events"));
        Assert.Contains("has not signed with its newest key yet", early.Message, StringComparison.Ordinal);

        // Nor is an old key of a log ended that has signed nothing: the running process would begin it with that.
        await Assert.ThrowsAsync<ProcessFailedException>(() => VerbAsync(installation, "retire", "--log", "votes-03"));

        await RestartAsync(installation);
        // It signs with both from now on, and what it shows is signed by the old one until something happens.
        Assert.Equal([young, old], await ShownAsync(installation));
        await SealedAsync(installation, "manager", young);
        Assert.Equal([young, old], await ShownAsync(installation));
        Assert.Equal([$"{old} retired"], await VerbAsync(installation, "retire", "--log", "events"));
        Assert.Equal([young, $"{old} retired"], await VerbAsync(installation, "list", "--log", "events"));
        Assert.Empty(await VerbAsync(installation, "retire", "--log", "events"));

        await RestartAsync(installation);
        var newest = await SealedAsync(installation, "investigator", young);
        Assert.Equal([young], await ShownAsync(installation));
        Assert.Single(newest.Note.Signatures);

        // Both are told, by events of that log.
        await SealingSite.UntilAsync("both are told", async () =>
        {
            await using var query = installation.Database.Source.CreateCommand(
                "SELECT count(DISTINCT type) FROM audit.events WHERE type LIKE 'staff.log-key-%' AND log = 'events'");
            return await query.ExecuteScalarAsync(Cancel) is 2L;
        });

        // Whoever trusts both keys finds everything signed. Whoever trusts the first one that they see has to ask.
        var keys = Path.Combine(installation.Archive, "..", $"keys-{Guid.NewGuid():N}");
        await File.WriteAllLinesAsync(keys, await VerbAsync(installation, "list"), Cancel);
        string[] verify = ["verify", "--directory", installation.Archive, "--json"];
        var said = await installation.RunAsync([.. verify, "--vkey", keys], Cancel);
        File.Delete(keys);
        var alone = await Assert.ThrowsAsync<ProcessFailedException>(() => installation.RunAsync(verify, Cancel));
        Assert.Contains("give every key that it had by --vkey", alone.Message, StringComparison.Ordinal);
        using var report = JsonDocument.Parse(said.Split('\n')[^1]);
        Assert.True(report.RootElement.GetProperty("verified").GetBoolean(), said);
        Assert.Contains(report.RootElement.GetProperty("keys").EnumerateArray(), log =>
            log.GetProperty("vkeys").EnumerateArray().Select(key => key.GetString()).SequenceEqual([young, old]));
    }

    private static async Task<string[]> VerbAsync(Installation installation, params string[] verb) =>
        (await installation.RunAsync(["admin", "log-keys", .. verb], Cancel))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static async Task RestartAsync(Installation installation)
    {
        Assert.Equal(0, await installation.Hosts[^1].TerminateAsync(Cancel));
        await installation.StartHostAsync("all", cancel: Cancel);
    }

    /// <summary>Has something happen, and waits until a checkpoint with it, by that key, is shown.</summary>
    private static async Task<SignedCheckpoint> SealedAsync(Installation installation, string role, string key)
    {
        Assert.True(VerifierKey.TryParse(key, out var verifier));
        var before = (await NewestAsync(installation))?.Checkpoint.Size ?? 0;
        await installation.StaffTokenAsync(role);
        SignedCheckpoint? shown = null;
        await SealingSite.UntilAsync("it is sealed", async () =>
            (shown = await NewestAsync(installation)) is not null && shown.Checkpoint.Size > before);
        Assert.Equal(NoteVerdict.Verified, shown!.Verify([verifier], out _));
        return shown;
    }

    private static async Task<SignedCheckpoint?> NewestAsync(Installation installation)
    {
        using var answer = await installation.Public.GetAsync("/v1/audit/logs/events/checkpoint", Cancel);
        return answer.IsSuccessStatusCode
            && SignedCheckpoint.TryParse(await answer.Content.ReadAsStringAsync(Cancel), out var newest)
            ? newest : null;
    }

    private static async Task<string[]> ShownAsync(Installation installation)
    {
        while (true)
        {
            var newest = await NewestAsync(installation);
            var list = await installation.Public.GetStringAsync("/v1/audit/logs?limit=100", Cancel);
            using var json = JsonDocument.Parse(list);
            var log = json.RootElement.GetProperty("items").EnumerateArray()
                .Single(one => one.GetProperty("log").GetString() == "events");
            // Both of the same moment.
            if (newest?.Checkpoint.Size != log.GetProperty("size").GetInt64()) continue;
            Assert.True(VerifierKey.TryParse(log.GetProperty("vkey").GetString()!, out var key));
            Assert.Equal(NoteVerdict.Verified, newest.Verify([key], out _));
            return [.. log.GetProperty("vkeys").EnumerateArray().Select(one => one.GetString()!)];
        }
    }
}
