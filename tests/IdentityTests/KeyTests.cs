using System.ComponentModel.DataAnnotations;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Platform;
using Testing;

namespace IdentityTests;

public sealed class KeyTests(Postgres postgres)
{
    private static readonly KeyPurpose[] Purposes =
    [
        new("signs-rsa", KeyAlgorithm.Rs256, Published: true), new("signs-ec", KeyAlgorithm.Es256, Published: true),
        new("signs-inside", KeyAlgorithm.Es256, Published: false), new("macs", KeyAlgorithm.Secret32, Published: false),
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_is_made_once_however_many_make_it()
    {
        await using var database = await NewDatabaseAsync();
        await using var platform = Database(database);

        var made = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Ring(platform).EnsureAsync(Cancel)));

        Assert.Equal(Purposes.Length, made.Sum());
        var (one, other) = (Ring(platform), Ring(platform));
        await one.LoadAsync(Cancel);
        await other.LoadAsync(Cancel);
        Assert.Equal(one.Secret("macs"), other.Secret("macs"));
        Assert.Equal(32, one.Secret("macs").Length);
        Assert.Equal(one.Current("signs-ec").KeyId, other.Current("signs-ec").KeyId);
        Assert.Equal(["signs-rsa", "signs-ec"], one.Published().Select(key =>
            Purposes.Single(purpose => one.All(purpose.Name).Contains(key)).Name));
    }

    [Fact]
    public async Task The_newest_key_signs_and_the_older_one_stays()
    {
        await using var database = await NewDatabaseAsync();
        await using var platform = Database(database);
        var ring = Ring(platform);
        await ring.EnsureAsync(Cancel);
        await ring.LoadAsync(Cancel);
        var first = ring.Current("signs-rsa");
        using var rsa = RSA.Create(2048);
        await using (var insert = database.Source.CreateCommand(
            """
            INSERT INTO platform.keys (key_id, purpose, algorithm, public_key, wrapped_key)
            VALUES ($1, 'signs-rsa', 'RS256', $2, $3)
            """))
        {
            insert.Parameters.Add(new() { Value = "second-key" });
            insert.Parameters.Add(new() { Value = rsa.ExportSubjectPublicKeyInfo() });
            var wrapped = Master().Wrap(rsa.ExportPkcs8PrivateKey(), "key:signs-rsa:second-key");
            insert.Parameters.Add(new() { Value = wrapped });
            await insert.ExecuteNonQueryAsync(Cancel);
        }

        await ring.LoadAsync(Cancel);

        Assert.Equal("second-key", ring.Current("signs-rsa").KeyId);
        Assert.Equal(["second-key", first.KeyId], ring.All("signs-rsa").Select(key => key.KeyId));
    }

    [Fact]
    public async Task Another_master_key_opens_nothing_and_says_what_to_set()
    {
        await using var database = await NewDatabaseAsync();
        await using var platform = Database(database);
        await Ring(platform).EnsureAsync(Cancel);
        var other = new KeyRing(platform, Master(Convert.ToBase64String(new byte[32])), Purposes);

        var refusal = await Assert.ThrowsAsync<InvalidSettingsException>(() => other.LoadAsync(Cancel));

        Assert.Contains("Keys__MasterKey", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_key_asks_for_the_verb_migrate()
    {
        await using var database = await NewDatabaseAsync();
        await using var platform = Database(database);
        var refusal = await Assert.ThrowsAsync<InvalidSettingsException>(() => Ring(platform).LoadAsync(Cancel));
        Assert.Contains("migrate", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_database_holds_no_key_in_the_clear()
    {
        await using var database = await NewDatabaseAsync();
        await using var platform = Database(database);
        var ring = Ring(platform);
        await ring.EnsureAsync(Cancel);
        await ring.LoadAsync(Cancel);

        await using var rows = database.Source.CreateCommand("SELECT string_agg(keys::text, '') FROM platform.keys");
        var text = (string)(await rows.ExecuteScalarAsync(Cancel))!;

        Assert.DoesNotContain(Convert.ToHexString(ring.Secret("macs")), text, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Threads_share_a_signing_key()
    {
        await using var database = await NewDatabaseAsync();
        await using var platform = Database(database);
        var ring = Ring(platform);
        await ring.EnsureAsync(Cancel);
        await ring.LoadAsync(Cancel);
        foreach (var key in new[] { ring.Current("signs-rsa"), ring.Current("signs-ec") })
        {
            Parallel.For(0, 200, i =>
            {
                var message = Encoding.UTF8.GetBytes($"message {i}");
                var signature = key.Sign(message);
                Assert.True(key.Verify(message, signature));
                signature[^1] ^= 1;
                Assert.False(key.Verify(message, signature));
            });
        }
    }

    [Fact]
    public void What_is_wrapped_opens_for_its_purpose_only_and_unaltered_only()
    {
        var master = Master();
        var secret = RandomNumberGenerator.GetBytes(32);
        var wrapped = master.Wrap(secret, "surveys");

        Assert.Equal(secret, master.Unwrap(wrapped, "surveys"));
        Assert.NotEqual(wrapped, master.Wrap(secret, "surveys"));
        Assert.Throws<AuthenticationTagMismatchException>(() => master.Unwrap(wrapped, "other"));
        for (var i = 0; i < wrapped.Length; i++)
        {
            var altered = (byte[])wrapped.Clone();
            altered[i] ^= 1;
            Assert.ThrowsAny<CryptographicException>(() => master.Unwrap(altered, "surveys"));
        }

        Assert.Throws<CryptographicException>(() => master.Unwrap([], "surveys"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("no base64!")]
    [InlineData("c2hvcnQ=")]
    public void A_master_key_that_is_none_is_refused_with_the_words_to_mend_it(string masterKey)
    {
        var options = new KeyOptions { MasterKey = masterKey };
        var results = new List<ValidationResult>();
        Assert.False(Validator.TryValidateObject(options, new(options), results, validateAllProperties: true));
        Assert.Contains("openssl rand -base64 32", results[0].ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_jwks_checks_what_the_platform_signs()
    {
        await using var site = await Site.StartAsync(postgres);
        var tokens = await site.SignInAsync("alice");
        using var answer = await site.SendAsync(HttpMethod.Get, "/.well-known/jwks.json");

        var text = await answer.Content.ReadAsStringAsync(Cancel);

        Assert.True(answer.Headers.CacheControl!.Public);
        var keys = JsonDocument.Parse(text).RootElement.GetProperty("keys").EnumerateArray().ToArray();
        Assert.All(keys, key => Assert.Equal("sig", key.GetProperty("use").GetString()));
        Assert.All(keys, key => Assert.False(key.TryGetProperty("d", out _)));
        var published = keys.Select(key => key.GetProperty("kid").GetString()).ToArray();
        Assert.Contains(site.Keys.Current("access-tokens").KeyId, published);
        Assert.DoesNotContain(site.Keys.Current("staff-tokens").KeyId, published);
        foreach (var (token, audience) in new[] { (tokens.AccessToken, "voting-api"), (tokens.IdToken, "voting-app") })
        {
            var result = await new JsonWebTokenHandler().ValidateTokenAsync(token, new()
            {
                ValidIssuer = "http://localhost:8080",
                ValidAudience = audience,
                ValidAlgorithms = ["RS256"],
                IssuerSigningKeys = new JsonWebKeySet(text).GetSigningKeys(),
            });
            Assert.True(result.IsValid, result.Exception?.Message);
        }
    }

    [Fact]
    public async Task The_metadata_names_issuer_and_keys()
    {
        await using var site = await Site.StartAsync(postgres);
        var metadata = await site.Http.GetFromJsonAsync<JsonElement>("/.well-known/openid-configuration", Cancel);
        Assert.Equal("http://localhost:8080", metadata.GetProperty("issuer").GetString());
        Assert.Equal("http://localhost:8080/.well-known/jwks.json", metadata.GetProperty("jwks_uri").GetString());
    }

    private static KeyRing Ring(PlatformDatabase database) => new(database, Master(), Purposes);

    private static MasterKey Master(string key = Site.MasterKey) =>
        new(Options.Create(new KeyOptions { MasterKey = key }));

    private Task<TestDatabase> NewDatabaseAsync() => postgres.NewMigratedDatabaseAsync(
        "keys", (connection, cancel) => new Migrator(Map(connection), connection, [PlatformModule.Migrations])
            .MigrateAsync(cancel), Cancel);

    private static PlatformDatabase Database(TestDatabase database) => new(
        Map(database.ConnectionString),
        Options.Create(new DatabaseOptions { ConnectionString = database.ConnectionString }));

    private static ShardMap Map(string connection) => new(
        Options.Create(new ShardOptions()), Options.Create(new DatabaseOptions { ConnectionString = connection }),
        Options.Create(new LogOptions()));
}
