using Platform;

namespace Host;

internal static class Roles
{
    private static readonly Dictionary<string, Role> ByName = new(StringComparer.Ordinal)
    {
        ["api"] = Role.Api,
        ["consumer"] = Role.Consumer,
        ["sse"] = Role.Sse,
        ["audit"] = Role.Audit,
        ["backoffice"] = Role.Backoffice,
        ["all"] = Role.All,
    };

    public static IEnumerable<string> Names => ByName.Keys;

    /// <exception cref="InvalidSettingsException">No role, or one that is not there.</exception>
    public static Role Parse(string? text)
    {
        var roles = Role.None;
        const StringSplitOptions Tidy = StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries;
        foreach (var name in (text ?? "").Split(',', Tidy))
        {
            if (!ByName.TryGetValue(name, out var role))
            {
                throw new InvalidSettingsException(
                    $"There is no role '{name}': use --role {string.Join(" | ", Names)}.");
            }

            roles |= role;
        }

        return roles is Role.None
            ? throw new InvalidSettingsException($"Say what to run: --role {string.Join(" | ", Names)}.")
            : roles;
    }
}
