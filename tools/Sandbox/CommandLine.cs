using System.Globalization;

namespace Sandbox;

/// <summary>What the sandbox was started with.</summary>
/// <param name="Port">Where it listens on loopback; 0 takes any free port.</param>
/// <param name="Platform">Where it signs new voters in, unless a request names another address.</param>
internal sealed record CommandLine(int Port, Uri Platform)
{
    private const string Usage = "Usage: voting-sandbox [--port N] [--host http://127.0.0.1:8080]";

    /// <summary>Null for arguments that make no sense; <paramref name="refusal"/> then says why, in one line.</summary>
    public static CommandLine? Parse(string[] args, out string refusal)
    {
        var said = new CommandLine(8090, new("http://127.0.0.1:8080"));
        refusal = Usage;
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : "";
            switch (args[i])
            {
                case "--port" when ushort.TryParse(value, CultureInfo.InvariantCulture, out var port):
                    said = said with { Port = port };
                    break;
                case "--host" when Address.IsLocal(value, out var platform):
                    said = said with { Platform = platform };
                    break;
                default:
                    refusal = $"Not understood: {args[i]} {value}. {Usage}";
                    return null;
            }
        }

        return said;
    }
}
