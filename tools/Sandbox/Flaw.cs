using System.Text;

namespace Sandbox;

/// <summary>What can be wrong with a token. The platform refuses all but <see cref="IssuerWithoutScheme"/>.</summary>
internal enum Flaw
{
    /// <summary>Issued and run out hours ago.</summary>
    Expired,

    /// <summary>Issued in an hour.</summary>
    NotYetValid,

    /// <summary>Never runs out.</summary>
    NoExpiry,

    /// <summary>Issued to another client.</summary>
    WrongAudience,

    /// <summary>For our client by its audience, obtained by another one (Google).</summary>
    WrongAuthorizedParty,

    /// <summary>Says another issuer.</summary>
    WrongIssuer,

    /// <summary>Google's other spelling of itself, which is to be accepted from Google alone.</summary>
    IssuerWithoutScheme,

    /// <summary>Made for another sign-in.</summary>
    WrongNonce,

    /// <summary>Made for no sign-in.</summary>
    NoNonce,

    /// <summary>Names nobody.</summary>
    NoSubject,

    /// <summary>Signed by a stranger under the name of the provider's key.</summary>
    WrongKey,

    /// <summary>Signed by a stranger under the name of a key that was never published.</summary>
    UnknownKey,

    /// <summary>The signature has one wrong bit.</summary>
    Tampered,

    /// <summary>Not signed, and says so.</summary>
    AlgNone,

    /// <summary>HS256 with the public key as the secret.</summary>
    AlgHmac,

    /// <summary>Not a token at all.</summary>
    Malformed,
}

/// <summary>How flaws are written in an address: <c>wrong-audience</c>.</summary>
internal static class Flaws
{
    public static IReadOnlySet<Flaw> None { get; } = new HashSet<Flaw>();

    private static readonly Dictionary<string, Flaw> ByName = Enum.GetValues<Flaw>().ToDictionary(Name);

    /// <summary>All names, for the answer to somebody who misspelt one.</summary>
    public static string Names { get; } = string.Join(", ", ByName.Keys);

    public static bool TryParse(string name, out Flaw flaw) => ByName.TryGetValue(name, out flaw);

    private static string Name(Flaw flaw)
    {
        var name = new StringBuilder();
        foreach (var letter in flaw.ToString())
        {
            if (char.IsUpper(letter) && name.Length > 0) name.Append('-');
            name.Append(char.ToLowerInvariant(letter));
        }

        return name.ToString();
    }
}
