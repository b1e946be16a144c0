namespace EndToEndTests;

/// <summary>Who an endpoint answers.</summary>
public enum Caller
{
    Anybody,
    Voter,
    Staff,
    Manager,
    ResultsReader,
    Auditor,
}

/// <summary>One line of the contract's tables.</summary>
/// <param name="Method">The verb.</param>
/// <param name="Path">As OpenAPI writes it, every parameter as <c>{}</c>.</param>
/// <param name="Caller">Who may call it.</param>
/// <param name="TakesBody">Whether a JSON body is read.</param>
public sealed record Endpoint(string Method, string Path, Caller Caller, bool TakesBody = false)
{
    /// <summary>An address of it, about things that are not there.</summary>
    public string Example => Fill("999999998");

    public bool HasId =>
        Path.Contains("{}", StringComparison.Ordinal) && !Path.StartsWith("/v1/auth/{}", StringComparison.Ordinal);

    public string Fill(string id) => Path.Replace("/auth/{}/", "/auth/google/", StringComparison.Ordinal)
        .Replace("{}", id, StringComparison.Ordinal);

    public override string ToString() => $"{Method} {Path}";
}

/// <summary>The endpoints that exist so far, typed from the contract and not from the program.</summary>
internal static class Endpoints
{
    public static readonly Endpoint[] Public =
    [
        new("GET", "/v1/surveys", Caller.Anybody),
        new("GET", "/v1/surveys/{}", Caller.Anybody),
        new("POST", "/v1/surveys/{}/votes", Caller.Voter, TakesBody: true),
        new("GET", "/v1/surveys/{}/votes/mine", Caller.Voter),
        new("GET", "/v1/surveys/{}/votes/{}", Caller.Voter),
        new("POST", "/v1/surveys/{}/answers", Caller.Voter, TakesBody: true),
        new("PUT", "/v1/surveys/{}/answers/{}/finish", Caller.Voter),
        new("DELETE", "/v1/surveys/{}/answers/{}/items/{}", Caller.Voter),
        new("GET", "/v1/surveys/{}/results", Caller.Anybody),
        new("GET", "/v1/surveys/{}/results/stream", Caller.Anybody),
        new("POST", "/v1/auth/{}/token", Caller.Anybody, TakesBody: true),
        new("POST", "/v1/auth/refresh", Caller.Anybody, TakesBody: true),
        new("POST", "/v1/auth/logout", Caller.Voter),
        new("GET", "/v1/auth/sessions", Caller.Voter),
        new("DELETE", "/v1/auth/sessions/{}", Caller.Voter),
        new("GET", "/.well-known/jwks.json", Caller.Anybody),
        new("GET", "/.well-known/openid-configuration", Caller.Anybody),
        new("GET", "/v1/votes/{}/proof", Caller.Anybody),
        new("GET", "/v1/audit/logs", Caller.Anybody),
        new("GET", "/v1/audit/logs/{}/checkpoint", Caller.Anybody),
        new("GET", "/v1/audit/logs/{}/tile/{}", Caller.Anybody),
        new("GET", "/v1/audit/results", Caller.Anybody),
        new("GET", "/v1/audit/results/{}", Caller.Anybody),
    ];

    public static readonly Endpoint[] Internal =
    [
        new("POST", "/v1/internal/surveys", Caller.Manager, TakesBody: true),
        new("GET", "/v1/internal/surveys", Caller.Staff),
        new("GET", "/v1/internal/surveys/{}", Caller.Staff),
        new("PUT", "/v1/internal/surveys/{}", Caller.Manager, TakesBody: true),
        new("PUT", "/v1/internal/surveys/{}/publish", Caller.Manager),
        new("PUT", "/v1/internal/surveys/{}/finish", Caller.Manager),
        new("DELETE", "/v1/internal/surveys/{}", Caller.Manager),
        new("GET", "/v1/internal/surveys/{}/results", Caller.ResultsReader),
        new("GET", "/v1/internal/audit/events", Caller.Auditor),
        new("GET", "/v1/internal/audit/events/export", Caller.Auditor),
    ];

    /// <summary>Not in the OpenAPI documents, for those describe what clients of the platform call.</summary>
    public static readonly string[] PublicPages = ["/openapi/v1.json", "/openapi/v1"];

    public static readonly string[] InternalPages = ["/openapi/internal.json", "/openapi/internal"];

    public static readonly string[] Management = ["/health/live", "/health/ready", "/health/startup", "/metrics"];

    public static IEnumerable<Endpoint> All => Public.Concat(Internal);

    /// <returns>The endpoint that writes itself so.</returns>
    public static Endpoint Find(string name) => All.Single(endpoint => endpoint.ToString() == name);
}
