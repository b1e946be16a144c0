using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NSec.Cryptography;
using Platform;
using Testing;

namespace PlatformTests;

public sealed class Ed25519KeyTests(Postgres postgres)
{
    // RFC 8032, section 7.1, test 2: the secret in the wrapping of PKCS #8.
    private const string Pkcs8 =
        "302e020100300506032b6570042204204ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";

    private static readonly KeyPurpose[] Purposes =
    [
        new("log-one", KeyAlgorithm.Ed25519, Published: false), new("log-two", KeyAlgorithm.Ed25519, Published: true),
        new("tokens", KeyAlgorithm.Es256, Published: true),
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void It_signs_as_the_standard_says()
    {
        var key = new SigningKey("a-key", KeyAlgorithm.Ed25519, Convert.FromHexString(Pkcs8));

        Assert.Equal("EdDSA", key.JwsAlgorithm);
        Assert.Equal(
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            Convert.ToHexStringLower(key.RawPublicKey.Span));
        Assert.Equal(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            Convert.ToHexStringLower(key.Sign([0x72])));
        Assert.Equal(key.RawPublicKey, key.PublicKey[^32..].ToArray());
    }

    [Fact]
    public async Task It_is_made_once_and_comes_back_from_its_wrapping()
    {
        await using var database = await postgres.NewPlatformDatabaseAsync(Cancel);
        await using var platform = Database(database);

        Assert.Equal(Purposes.Length, await Ring(platform).EnsureAsync(Cancel));
        Assert.Equal(0, await Ring(platform).EnsureAsync(Cancel));

        var (one, other) = (Ring(platform), Ring(platform));
        await one.LoadAsync(Cancel);
        await other.LoadAsync(Cancel);
        var key = one.Current("log-one");
        Assert.Equal(KeyAlgorithm.Ed25519, key.Algorithm);
        Assert.NotEqual(key.KeyId, one.Current("log-two").KeyId);
        var message = Encoding.UTF8.GetBytes("a tree");
        var signature = key.Sign(message);
        Assert.True(other.Current("log-one").Verify(message, signature));
        Assert.False(other.Current("log-two").Verify(message, signature));
        var stranger = PublicKey.Import(
            SignatureAlgorithm.Ed25519, key.RawPublicKey.Span, KeyBlobFormat.RawPublicKey);
        Assert.True(SignatureAlgorithm.Ed25519.Verify(stranger, message, signature));
    }

    [Fact]
    public async Task The_newest_signs_and_the_older_one_stays()
    {
        await using var database = await postgres.NewPlatformDatabaseAsync(Cancel);
        await using var platform = Database(database);
        var ring = Ring(platform);
        await ring.EnsureAsync(Cancel);
        await ring.LoadAsync(Cancel);
        var first = ring.Current("log-one");
        await using (var insert = database.Source.CreateCommand(
            """
            INSERT INTO platform.keys (key_id, purpose, algorithm, public_key, wrapped_key)
            VALUES ('second-key', 'log-one', 'Ed25519', $1, $2)
            """))
        {
            var secret = Convert.FromHexString(Pkcs8);
            insert.Parameters.Add(new() { Value = RandomNumberGenerator.GetBytes(44) });
            insert.Parameters.Add(new() { Value = Master().Wrap(secret, "key:log-one:second-key") });
            await insert.ExecuteNonQueryAsync(Cancel);
        }

        await ring.LoadAsync(Cancel);

        Assert.Equal(["second-key", first.KeyId], ring.All("log-one").Select(key => key.KeyId));
    }

    [Fact]
    public async Task A_retired_one_is_kept_with_the_last_thing_it_signed_and_nobody_writes_another()
    {
        await using var database = await postgres.NewPlatformDatabaseAsync(Cancel);
        await using var platform = Database(database);
        var ring = Ring(platform);
        await ring.EnsureAsync(Cancel);
        await ring.LoadAsync(Cancel);
        var old = ring.Current("log-one");
        Assert.False(await ring.RetireAsync("log-one", old.KeyId, 17, Cancel));
        await ring.AddAsync(["log-one"], Cancel);
        await ring.LoadAsync(Cancel);
        Assert.True(await ring.RetireAsync("log-one", old.KeyId, 17, Cancel));
        Assert.False(await ring.RetireAsync("log-one", old.KeyId, 18, Cancel));
        await ring.LoadAsync(Cancel);
        var (key, last) = Assert.Single(ring.Retired("log-one"));
        Assert.Equal((17L, Convert.ToHexString(old.PublicKey.Span)), (last, Convert.ToHexString(key)));
        Assert.DoesNotContain(ring.All("log-one"), one => one.KeyId == old.KeyId);

        // What tells nothing is not believed, and a row of one's own is none.
        await WriteAsync("UPDATE platform.keys SET public_key = '\\x00' WHERE retired_at IS NOT NULL");
        await ring.LoadAsync(Cancel);
        Assert.Equal(key, Assert.Single(ring.Retired("log-one")).PublicKey);
        foreach (var forged in new[]
        {
            "UPDATE platform.keys SET purpose = 'log-two' WHERE retired_at IS NOT NULL",
            "UPDATE platform.keys SET retired_proof = set_byte(retired_proof, 20, 1) WHERE retired_at IS NOT NULL",
            "UPDATE platform.keys SET retired_proof = NULL WHERE retired_at IS NOT NULL",
        })
        {
            await WriteAsync(forged);
            var refused = await Assert.ThrowsAsync<InvalidSettingsException>(() => ring.LoadAsync(Cancel));
            Assert.Contains($"The retired key {old.KeyId} of log-", refused.Message, StringComparison.Ordinal);
        }

        async Task WriteAsync(string sql)
        {
            await using var write = database.Source.CreateCommand(sql);
            Assert.Equal(1, await write.ExecuteNonQueryAsync(Cancel));
        }
    }

    [Fact]
    public async Task It_stands_in_no_jwks_and_checks_no_token()
    {
        await using var database = await postgres.NewPlatformDatabaseAsync(Cancel);
        await using var platform = Database(database);
        var ring = Ring(platform);
        await ring.EnsureAsync(Cancel);
        await ring.LoadAsync(Cancel);

        Assert.Equal([ring.Current("tokens")], ring.Published());
        Assert.Throws<InvalidOperationException>(() => ring.Current("log-two").Verifier);
        await using var json = new Utf8JsonWriter(Stream.Null);
        Assert.Throws<InvalidOperationException>(() => ring.Current("log-two").WriteJwk(json));
        var registered = new ServiceCollection().AddKeyPurpose("log", KeyAlgorithm.Ed25519, published: true);
        Assert.False(((KeyPurpose)registered.Single().ImplementationInstance!).Published);
    }

    [Fact]
    public void Threads_share_it()
    {
        var key = new SigningKey("a-key", KeyAlgorithm.Ed25519, Convert.FromHexString(Pkcs8));
        Parallel.For(0, 200, i =>
        {
            var message = Encoding.UTF8.GetBytes($"message {i}");
            var signature = key.Sign(message);
            Assert.True(key.Verify(message, signature));
            signature[^1] ^= 1;
            Assert.False(key.Verify(message, signature));
            Assert.False(key.Verify(message, signature.AsSpan(1)));
        });
    }

    private static KeyRing Ring(PlatformDatabase database) => new(database, Master(), Purposes);

    private static MasterKey Master() =>
        new(Options.Create(new KeyOptions { MasterKey = Convert.ToBase64String(new byte[32]) }));

    private static PlatformDatabase Database(TestDatabase database)
    {
        var options = Options.Create(new DatabaseOptions { ConnectionString = database.ConnectionString });
        var shards = new ShardMap(Options.Create(new ShardOptions()), options, Options.Create(new LogOptions()));
        return new(shards, options);
    }
}
