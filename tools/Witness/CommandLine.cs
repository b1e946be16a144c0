using System.Globalization;

namespace Witness;

/// <summary>What the witness was started with.</summary>
/// <param name="Name">The name that it signs with: a URL without its scheme.</param>
/// <param name="KeyFile">Holds its secret key; made at the first start.</param>
/// <param name="State">The directory that remembers the newest checkpoint of each log.</param>
/// <param name="Port">Where it listens on loopback; 0 takes any free port.</param>
/// <param name="Logs">The keys of the logs that it watches; a log may have several.</param>
internal sealed record CommandLine(string Name, string KeyFile, string State, int Port, IReadOnlyList<LogKey> Logs)
{
    private const string Usage =
        "Usage: voting-witness --name NAME --key FILE --state DIRECTORY --log VKEY [--log VKEY ...] [--port N]";

    /// <summary>Null for arguments that make no sense; <paramref name="refusal"/> then says why, in one line.</summary>
    public static CommandLine? Parse(string[] args, out string refusal)
    {
        var said = new CommandLine("", "", "", 8095, []);
        refusal = Usage;
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : "";
            switch (args[i])
            {
                case "--name" when Note.IsName(value):
                    said = said with { Name = value };
                    break;
                case "--key" when value.Length > 0:
                    said = said with { KeyFile = value };
                    break;
                case "--state" when value.Length > 0:
                    said = said with { State = value };
                    break;
                case "--port" when ushort.TryParse(value, CultureInfo.InvariantCulture, out var port):
                    said = said with { Port = port };
                    break;
                case "--log" when LogKey.Parse(value) is { } key:
                    said = said with { Logs = [.. said.Logs, key] };
                    break;
                default:
                    refusal = $"Not understood: {args[i]} {value}. {Usage}";
                    return null;
            }
        }

        return said is { Name: "" } or { KeyFile: "" } or { State: "" } or { Logs: [] } ? null : said;
    }
}
