using CsCheck;

namespace AuditTests;

/// <summary>One way to spoil a text.</summary>
internal sealed record Mutation(int Kind, int Place, char Character)
{
    public string Of(string text)
    {
        if (text.Length == 0) return Character.ToString();
        var at = Place % text.Length;
        return Kind switch
        {
            0 => text.Remove(at, 1),
            1 => text.Insert(at, Character.ToString()),
            2 => $"{text[..at]}{Character}{text[(at + 1)..]}",
            3 => text[..at],
            4 => text[at..],
            5 => text.Insert(at, text[at..]),
            6 => text.Insert(at, text[at].ToString()),
            // A whole line twice, or a line left out.
            7 => text.Insert(at, text[(text.LastIndexOf('\n', at) + 1)..(at + 1)]),
            _ => text.Remove(text.LastIndexOf('\n', at) + 1, at - text.LastIndexOf('\n', at)),
        };
    }
}

internal static class Mutations
{
    private const string Characters = "\n\n\0\r\t +-=/xX.pA0019—é\u2028\u00a0\ud800\udc00\ufeff";

    public static Gen<Mutation> Gen { get; } = CsCheck.Gen.Select(
        CsCheck.Gen.Int[0, 8], CsCheck.Gen.Int[0, 100_000], CsCheck.Gen.Int[0, Characters.Length - 1],
        (kind, place, character) => new Mutation(kind, place, Characters[character]));
}
