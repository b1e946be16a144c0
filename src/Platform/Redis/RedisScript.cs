namespace Platform;

/// <summary>A Lua script with one key, which the server runs as one step.</summary>
/// <param name="Text">Reads <c>KEYS[1]</c> and <c>ARGV</c>.</param>
public sealed record RedisScript(string Text);
