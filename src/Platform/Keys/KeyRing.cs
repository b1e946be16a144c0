using System.Buffers.Binary;
using System.Buffers.Text;
using System.Collections.Frozen;
using System.Security.Cryptography;
using Npgsql;
using NSec.Cryptography;

namespace Platform;

/// <summary>
/// The installation's own keys, by purpose. They are made once, by the verb <c>migrate</c>, kept wrapped in the control
/// database, and read whole at start. Safe for use by many threads once loaded.
/// </summary>
public sealed class KeyRing
{
    private const string SecretAlgorithm = "secret32";

    private readonly PlatformDatabase _database;
    private readonly MasterKey _master;
    private readonly KeyPurpose[] _purposes;
    private volatile FrozenDictionary<string, Ring>? _rings;

    internal KeyRing(PlatformDatabase database, MasterKey master, IEnumerable<KeyPurpose> purposes)
    {
        (_database, _master) = (database, master);
        _purposes = [.. purposes.Distinct()];
        var twice = _purposes.CountBy(purpose => purpose.Name).FirstOrDefault(name => name.Value > 1).Key;
        if (twice is not null) throw new InvalidOperationException($"Two different key purposes are named {twice}.");
    }

    /// <summary>Makes a key for every purpose that has none. Safe to repeat, and to run twice at once.</summary>
    /// <returns>How many were made.</returns>
    public async Task<int> EnsureAsync(CancellationToken cancel)
    {
        await using var connection = await _database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        // Writers wait for each other, or two of them would both find a purpose without a key; readers go on.
        await using (var alone = new NpgsqlCommand("LOCK TABLE platform.keys IN SHARE ROW EXCLUSIVE MODE", connection))
            await alone.ExecuteNonQueryAsync(cancel);

        var present = new HashSet<string>(StringComparer.Ordinal);
        await using (var query = new NpgsqlCommand("SELECT DISTINCT purpose FROM platform.keys", connection))
        await using (var rows = await query.ExecuteReaderAsync(cancel))
        {
            while (await rows.ReadAsync(cancel)) present.Add(rows.GetString(0));
        }

        var missing = _purposes.Where(purpose => !present.Contains(purpose.Name)).ToArray();
        foreach (var purpose in missing) await InsertAsync(connection, purpose, cancel);
        await transaction.CommitAsync(cancel);
        return missing.Length;
    }

    /// <summary>
    /// Makes one more key for each of some purposes, all or none: the current one from each process's next start on.
    /// </summary>
    public async Task AddAsync(IEnumerable<string> purposes, CancellationToken cancel)
    {
        await using var connection = await _database.Control.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        foreach (var name in purposes)
            await InsertAsync(connection, _purposes.Single(purpose => purpose.Name == name), cancel);
        await transaction.CommitAsync(cancel);
    }

    /// <summary>
    /// Ends a key, for good: it signs nothing from each process's next start on, and its private half is destroyed.
    /// What it signed is still checked.
    /// </summary>
    /// <param name="purpose">Whose key it is.</param>
    /// <param name="keyId">The key.</param>
    /// <param name="last">
    /// By the caller's own numbers, the last thing that it signed. Kept sealed under the master key with the public
    /// half: whoever writes to the database can make no key of their own one that has ended.
    /// </param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>False when it has ended before, or is the purpose's newest, which goes on.</returns>
    public async Task<bool> RetireAsync(string purpose, string keyId, long last, CancellationToken cancel)
    {
        if (All(purpose).FirstOrDefault(key => key.KeyId == keyId) is not { } ended) return false;
        var proof = new byte[sizeof(long) + ended.PublicKey.Length];
        BinaryPrimitives.WriteInt64BigEndian(proof, last);
        ended.PublicKey.Span.CopyTo(proof.AsSpan(sizeof(long)));
        await using var retire = _database.Control.CreateCommand("""
            UPDATE platform.keys k SET retired_at = now(), wrapped_key = NULL, retired_proof = $3
            WHERE purpose = $1 AND key_id = $2 AND retired_at IS NULL AND EXISTS (
                SELECT 1 FROM platform.keys newer
                WHERE newer.purpose = k.purpose AND newer.number > k.number AND newer.retired_at IS NULL)
            """);
        retire.Parameters.Add(new() { Value = purpose });
        retire.Parameters.Add(new() { Value = keyId });
        retire.Parameters.Add(new() { Value = _master.Wrap(proof, RetiredFor(purpose, keyId)) });
        return await retire.ExecuteNonQueryAsync(cancel) == 1;
    }

    /// <summary>Reads the keys of every purpose. Until it has returned, no key can be asked for.</summary>
    /// <exception cref="InvalidSettingsException">A key is missing, or was wrapped by another master key.</exception>
    public async Task LoadAsync(CancellationToken cancel)
    {
        var found = _purposes.ToDictionary(purpose => purpose.Name, _ => new Ring());
        try
        {
            await ReadAsync(found, cancel);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable
            or PostgresErrorCodes.UndefinedObject or PostgresErrorCodes.InvalidParameterValue)
        {
            // Neither the table, nor perhaps the role that each connection takes, is there.
            throw new InvalidSettingsException("The database was never migrated: run the verb migrate first.");
        }

        foreach (var purpose in _purposes)
        {
            if (found[purpose.Name] is { Signing.Count: 0, Secrets.Count: 0 })
                throw new InvalidSettingsException(
                    $"There is no key for {purpose.Name} yet: run the verb migrate first.");
        }

        _rings = found.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <returns>The key that signs for the purpose now: the newest.</returns>
    public SigningKey Current(string purpose) => Of(purpose).Signing[0];

    /// <returns>Every key that signs for the purpose, newest first.</returns>
    public IReadOnlyList<SigningKey> All(string purpose) => Of(purpose).Signing;

    /// <returns>
    /// Public halves, as SubjectPublicKeyInfo in DER, of those that do not any more, and the last thing that each
    /// signed; newest first.
    /// </returns>
    public IReadOnlyList<(byte[] PublicKey, long Last)> Retired(string purpose) => Of(purpose).Retired;

    /// <returns>The purpose's current secret: 32 bytes that the caller must not change.</returns>
    public byte[] Secret(string purpose) => Of(purpose).Secrets[0];

    /// <returns>Every secret that the purpose has had, newest first; none of them may be changed.</returns>
    public IReadOnlyList<byte[]> Secrets(string purpose) => Of(purpose).Secrets;

    /// <returns>The keys whose public halves everybody may see, for the JWKS.</returns>
    public IReadOnlyList<SigningKey> Published() =>
        [.. _purposes.Where(purpose => purpose is { Published: true, Algorithm: not KeyAlgorithm.Ed25519 })
            .SelectMany(purpose => Of(purpose.Name).Signing)];

    private async Task ReadAsync(Dictionary<string, Ring> found, CancellationToken cancel)
    {
        await using var query = _database.Control.CreateCommand(
            "SELECT key_id, purpose, algorithm, wrapped_key, retired_proof FROM platform.keys ORDER BY number DESC");
        await using var rows = await query.ExecuteReaderAsync(cancel);
        while (await rows.ReadAsync(cancel))
        {
            // Other versions of the platform, and verbs, know other purposes.
            if (!found.TryGetValue(rows.GetString(1), out var ring)) continue;
            var (keyId, purpose) = (rows.GetString(0), rows.GetString(1));
            if (!rows.IsDBNull(3)) Add(ring, keyId, purpose, rows.GetString(2), rows.GetFieldValue<byte[]>(3));
            else ring.Retired.Add(Retired(keyId, purpose, rows.IsDBNull(4) ? [] : rows.GetFieldValue<byte[]>(4)));
        }
    }

    private async Task InsertAsync(NpgsqlConnection connection, KeyPurpose purpose, CancellationToken cancel)
    {
        await using var insert = new NpgsqlCommand(
            """
            INSERT INTO platform.keys (key_id, purpose, algorithm, public_key, wrapped_key)
            VALUES ($1, $2, $3, $4, $5)
            """,
            connection);
        var (keyId, secret, publicKey) = Generate(purpose.Algorithm);
        insert.Parameters.Add(new() { Value = keyId });
        insert.Parameters.Add(new() { Value = purpose.Name });
        insert.Parameters.Add(new() { Value = StoredName(purpose.Algorithm) });
        insert.Parameters.Add(new NpgsqlParameter<byte[]?> { TypedValue = publicKey });
        insert.Parameters.Add(new() { Value = _master.Wrap(secret, WrappedFor(purpose.Name, keyId)) });
        await insert.ExecuteNonQueryAsync(cancel);
        CryptographicOperations.ZeroMemory(secret);
    }

    private Ring Of(string purpose)
    {
        var rings = _rings ?? throw new InvalidOperationException("The keys have not been loaded yet.");
        return rings.TryGetValue(purpose, out var ring)
            ? ring
            : throw new InvalidOperationException($"No module registered the key purpose {purpose}.");
    }

    private void Add(Ring ring, string keyId, string purpose, string algorithm, byte[] wrapped)
    {
        byte[] secret;
        try
        {
            secret = _master.Unwrap(wrapped, WrappedFor(purpose, keyId));
        }
        catch (CryptographicException)
        {
            throw new InvalidSettingsException(
                $"Keys__MasterKey does not open the key {keyId} of {purpose}: set the one that it was made under.");
        }

        if (algorithm == SecretAlgorithm) ring.Secrets.Add(secret);
        else ring.Signing.Add(new(keyId, StoredAlgorithm(algorithm), secret));
    }

    private (byte[] PublicKey, long Last) Retired(string keyId, string purpose, byte[] proof)
    {
        try
        {
            var ended = _master.Unwrap(proof, RetiredFor(purpose, keyId));
            return (ended[sizeof(long)..], BinaryPrimitives.ReadInt64BigEndian(ended));
        }
        catch (CryptographicException)
        {
            throw new InvalidSettingsException(
                $"The retired key {keyId} of {purpose} in platform.keys is not as it was retired here: restore its row "
                + "from a backup, or delete it, and what it signed is verified no more.");
        }
    }

    private static string RetiredFor(string purpose, string keyId) => $"retired:{purpose}:{keyId}";

    // The key's id is authenticated too, so that rows cannot be swapped within a purpose.
    private static string WrappedFor(string purpose, string keyId) => $"key:{purpose}:{keyId}";

    private static string StoredName(KeyAlgorithm algorithm) => algorithm switch
    {
        KeyAlgorithm.Rs256 => "RS256",
        KeyAlgorithm.Es256 => "ES256",
        KeyAlgorithm.Ed25519 => "Ed25519",
        _ => SecretAlgorithm,
    };

    private static KeyAlgorithm StoredAlgorithm(string name) => name switch
    {
        "RS256" => KeyAlgorithm.Rs256,
        "Ed25519" => KeyAlgorithm.Ed25519,
        _ => KeyAlgorithm.Es256,
    };

    private static (string KeyId, byte[] Secret, byte[]? PublicKey) Generate(KeyAlgorithm algorithm)
    {
        if (algorithm is KeyAlgorithm.Secret32)
        {
            var random = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
            return (random, RandomNumberGenerator.GetBytes(32), null);
        }

        if (algorithm is KeyAlgorithm.Ed25519)
        {
            using var made = Key.Create(
                SignatureAlgorithm.Ed25519, new() { ExportPolicy = KeyExportPolicies.AllowPlaintextExport });
            var encoded = made.Export(KeyBlobFormat.PkixPublicKey);
            return (KeyIdOf(encoded), made.Export(KeyBlobFormat.PkixPrivateKey), encoded);
        }

        using AsymmetricAlgorithm pair = algorithm is KeyAlgorithm.Rs256
            ? RSA.Create(2048)
            : ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var publicKey = pair.ExportSubjectPublicKeyInfo();
        return (KeyIdOf(publicKey), pair.ExportPkcs8PrivateKey(), publicKey);
    }

    private static string KeyIdOf(byte[] publicKey) =>
        Base64Url.EncodeToString(SHA256.HashData(publicKey).AsSpan(0, 16));

    private sealed class Ring
    {
        public List<SigningKey> Signing { get; } = [];

        public List<byte[]> Secrets { get; } = [];

        public List<(byte[] PublicKey, long Last)> Retired { get; } = [];
    }
}
