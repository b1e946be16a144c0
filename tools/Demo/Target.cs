namespace Demo;

/// <summary>Where the platform is, and what opens it: <c>./voting demo</c> says it by the environment.</summary>
/// <param name="Public">Every public port, at least one; ballots are spread over them.</param>
/// <param name="Internal">The port of staff.</param>
/// <param name="Sandbox">What signs voters in.</param>
/// <param name="StaffToken">Of a manager.</param>
/// <param name="Database">Npgsql's connection string of the database that holds the shards.</param>
internal sealed record Target(
    IReadOnlyList<Uri> Public, Uri Internal, Uri Sandbox, string StaffToken, string Database)
{
    /// <exception cref="MisuseException">Something is not set, or is no address.</exception>
    public static Target OfEnvironment() => new(
        [.. Variable("VOTING_PUBLIC_URL").Split(',').Select(one => Address("VOTING_PUBLIC_URL", one))],
        Address("VOTING_INTERNAL_URL", Variable("VOTING_INTERNAL_URL")),
        Address("VOTING_SANDBOX_URL", Variable("VOTING_SANDBOX_URL")),
        Variable("VOTING_STAFF_TOKEN").Trim(),
        Variable("VOTING_DATABASE"));

    /// <returns>A public port; consecutive numbers go round all of them.</returns>
    public Uri PublicOf(int number) => Public[number % Public.Count];

    private static string Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value
        ? value
        : throw new MisuseException($"{name} is not set: run ./voting demo, which sets it.");

    private static Uri Address(string name, string value) =>
        Uri.TryCreate(value.Trim(), UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? address
            : throw new MisuseException($"{name} holds no address: {value}");
}
