using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using Identity;
using Platform;
using Testing;

namespace IdentityTests;

/// <summary>
/// What the log tells of voters. Its form is frozen: archives hold the digests of these bytes for years. A change here
/// is a new kind of event, never another golden file.
/// </summary>
public sealed class UserEventsTests(Postgres postgres)
{
    private const int Shards = 4;

    private static readonly DateTimeOffset At = new(2026, 1, 15, 10, 30, 0, TimeSpan.Zero);

    [Fact]
    public void An_events_bytes_are_those_of_the_golden_file()
    {
        const string User = "EBESExQVFhcYGRobHB0eHw";
        var written = UserEvents.Registered(new("AAECAwQFBgcICQoLDA0ODw", At, EventActor.Voter(User)), User);

        Assert.Equal($"user/{User}", written.Aggregate);
        Assert.Equal(
            File.ReadAllText(Path.Combine(
                Repository.Root, "tests", "IdentityTests", "Events", "user.registered.golden")),
            Encoding.UTF8.GetString(written.Bytes));
    }

    [Fact]
    public async Task A_first_sign_in_is_told_once_under_a_pseudonym_and_to_the_minute()
    {
        await using var site = await Site.StartAsync(postgres);
        var alice = await site.SignInAsync("alice");
        await site.SignInAsync("alice");
        var bob = await site.SignInAsync("bob");

        var told = await ToldAsync(site);

        Assert.Equal(2, told.Count);
        var voter = Base64Url.DecodeFromChars(alice.VoterId);
        foreach (var signedIn in new[] { alice, bob })
        {
            var id = Base64Url.DecodeFromChars(signedIn.VoterId);
            var one = Assert.Single(told, one =>
                (string)one.Json["data"]!["user"]! == Events(site).Pseudonym(id));
            Assert.Equal("user.registered", (string)one.Json["type"]!);
            Assert.EndsWith(":00.000Z", (string)one.Json["time"]!, StringComparison.Ordinal);
        }

        // Neither the voter, nor the bucket its votes lie in, nor the provider's name for it.
        Assert.NotEqual(voter[..2], Base64Url.DecodeFromChars(Events(site).Pseudonym(voter))[..2]);
        foreach (var secret in new[] { alice.VoterId, bob.VoterId, "alice", "bob", "google" })
            Assert.All(told, one => Assert.DoesNotContain(secret, one.Text, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_sign_in_that_races_itself_tells_of_one_voter()
    {
        await using var site = await Site.StartAsync(postgres);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => site.SignInAsync("carol")));

        Assert.Single(await ToldAsync(site));
    }

    [Fact]
    public async Task Where_the_shard_has_moved_nothing_is_told()
    {
        await using var site = await Site.StartAsync(postgres);
        await site.MoveShardsAsync(2);
        using var answer = await site.PostAsync(
            "/v1/auth/google/token", new { idToken = site.Provider.IdToken("dave"), nonce = ProviderServer.Nonce });

        Assert.False(answer.IsSuccessStatusCode);
        Assert.Empty(await ToldAsync(site));
    }

    private static UserEvents Events(Site site) =>
        new(site.Keys, new(System.Security.Cryptography.RandomNumberGenerator.Create(), site.Clock));

    private static async Task<List<(string Text, JsonNode Json)>> ToldAsync(Site site)
    {
        var told = new List<(string, JsonNode)>();
        for (var shard = 0; shard < Shards; shard++)
        {
            await using var query = site.Database.Source.CreateCommand(
                $"SELECT aggregate, event FROM identity_0{shard}.outbox");
            await using var rows = await query.ExecuteReaderAsync(Site.Cancel);
            while (await rows.ReadAsync(Site.Cancel))
            {
                var text = Encoding.UTF8.GetString(rows.GetFieldValue<byte[]>(1));
                var json = JsonNode.Parse(text)!;
                Assert.Equal(rows.GetString(0), (string)json["subject"]!);
                told.Add((text, json));
            }
        }

        return told;
    }
}
