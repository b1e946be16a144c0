using System.Globalization;
using System.Security.Cryptography;

namespace Sandbox;

/// <summary>One provider as the platform meets it: paths, subjects and claims differ, the protocol does not.</summary>
internal sealed class Provider(string name, string keysPath, Func<string> newSubject) : IDisposable
{
    public string Name => name;

    /// <summary>Below the provider's own base address, with a slash in front.</summary>
    public string KeysPath => keysPath;

    /// <summary>What the provider signs with. Made at start: a restart is a key rotation to the platform.</summary>
    public SigningKey Key { get; } = new();

    /// <summary>A key that the provider never published.</summary>
    public SigningKey ForeignKey { get; } = new();

    /// <summary>A new person in the form of this provider's identifiers.</summary>
    public string NewSubject() => newSubject();

    public void Dispose()
    {
        Key.Dispose();
        ForeignKey.Dispose();
    }
}

/// <summary>The three providers that sign voters in.</summary>
internal sealed class Providers : IDisposable
{
    public Provider Google { get; } = new("google", "/oauth2/v3/certs", () => "1" + Digits(20));

    public Provider Apple { get; } = new(
        "apple", "/auth/keys", () => $"00{Digits(4)}.{RandomNumberGenerator.GetHexString(32, true)}.{Digits(4)}");

    public Provider Facebook { get; } = new(
        "facebook", "/.well-known/oauth/openid/jwks/", () => "1" + Digits(15));

    public IEnumerable<Provider> All => [Google, Apple, Facebook];

    public Provider? Find(string name) => All.FirstOrDefault(provider => provider.Name == name);

    public void Dispose()
    {
        foreach (var provider in All) provider.Dispose();
    }

    private static string Digits(int count) => string.Create(count, 0, static (digits, _) =>
    {
        foreach (ref var digit in digits)
            digit = RandomNumberGenerator.GetInt32(10).ToString(CultureInfo.InvariantCulture)[0];
    });
}
