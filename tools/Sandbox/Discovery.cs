namespace Sandbox;

/// <summary>OpenID Connect discovery and key sets, at the places where each provider has them.</summary>
internal static class Discovery
{
    public static void MapDiscovery(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/{provider}/.well-known/openid-configuration", Describe);
        foreach (var provider in endpoints.ServiceProvider.GetRequiredService<Providers>().All)
        {
            var keys = new PublishedKeys([provider.Key.Publish()]);
            endpoints.MapGet($"/{provider.Name}{provider.KeysPath}", () => TypedResults.Ok(keys));
        }
    }

    private static IResult Describe(string provider, Providers providers, Address address)
    {
        if (providers.Find(provider) is not { } found) return TypedResults.NotFound();
        var issuer = $"{address.Base}/{found.Name}";
        return TypedResults.Ok(new Configuration(
            issuer, issuer + found.KeysPath, ["id_token"], ["public"], ["RS256"], ["openid", "email", "name"]));
    }
}
