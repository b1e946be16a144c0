using System.Security.Cryptography;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Platform;

namespace Identity;

/// <summary>The module's one entry: only the host calls it.</summary>
public static class IdentityModule
{
    /// <summary>Voters, logins and sessions, in each shard.</summary>
    public static MigrationSet Migrations { get; } = new("identity", typeof(IdentityModule).Assembly);

    /// <summary>Registers settings, keys, the topic <c>revocations</c>, and what the roles run.</summary>
    public static void AddIdentity(this IHostApplicationBuilder host, Role roles)
    {
        var services = host.Services;
        services.AddSettings<IdentityOptions>("Identity");
        services.AddKeyPurpose(SessionTokens.IdTokenKeyPurpose, KeyAlgorithm.Rs256, published: true);
        services.AddKeyPurpose(RefreshToken.KeyPurpose, KeyAlgorithm.Secret32);
        services.AddKeyPurpose(SignIn.LoginKeyPurpose, KeyAlgorithm.Secret32);
        services.AddKeyPurpose(UserEvents.PseudonymKeyPurpose, KeyAlgorithm.Secret32);
        services.AddSingleton(Revocations.Topic);
        services.TryAddSingleton(_ => RandomNumberGenerator.Create());
        services.AddSingleton<IdentityDatabase>();
        services.AddOutbox<IdentityDatabase>(OutboxPlaces.Shards);
        services.AddSingleton<UserEvents>();
        services.AddSingleton<ProviderHttp>();
        services.AddSingleton<Providers>();
        services.AddSingleton<SignIn>();
        services.AddSingleton<SessionTokens>();
        services.AddSingleton<RefreshSession>();
        services.AddSingleton<EndSession>();
        services.AddSingleton<Revocations>();
        if (!roles.HasFlag(Role.Api)) return;
        services.AddHostedService<FollowRevocations>();
        services.AddHostedService<ForgetSpentTokens>();
    }

    /// <summary>Maps the public endpoints in role <c>api</c>.</summary>
    public static void MapIdentity(this IEndpointRouteBuilder endpoints, Role roles)
    {
        if (!roles.HasFlag(Role.Api)) return;
        endpoints.MapSignIn();
        endpoints.MapRefresh();
        endpoints.MapEndSession();
        endpoints.MapListSessions();
        endpoints.MapDiscovery();
    }
}
