using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Platform;

/// <summary>Adds the platform's own tokens.</summary>
public static class TokenSetup
{
    /// <summary>Adds issuing and checking of tokens, the schemes and the policy <see cref="Access.Voter"/>.</summary>
    /// <remarks>Needs <see cref="KeySetup.AddKeys"/>; the application calls <c>UseAuthorization</c>.</remarks>
    public static IServiceCollection AddTokens(this IServiceCollection services)
    {
        services.AddSettings<TokenOptions>("Tokens");
        services.AddKeyPurpose(VoterTokens.SigningPurpose, KeyAlgorithm.Rs256, published: true);
        services.AddKeyPurpose(VoterTokens.SubjectPurpose, KeyAlgorithm.Secret32);
        services.AddKeyPurpose(StaffTokens.SigningPurpose, KeyAlgorithm.Es256);
        services.TryAddSingleton<VoterTokens>();
        services.TryAddSingleton<StaffTokens>();
        services.TryAddSingleton<RevokedTokens>();
        services.TryAddTransient<VoterBearer>();
        services.TryAddTransient<StaffBearer>();
        services.AddAuthentication();
        services.Configure<AuthenticationOptions>(authentication =>
        {
            authentication.AddScheme<VoterBearer>(Access.Voter, displayName: null);
            authentication.AddScheme<StaffBearer>(Access.StaffScheme, displayName: null);
        });
        services.AddAuthorizationBuilder().AddPolicy(Access.Voter, Access.VoterPolicy);
        return services;
    }
}
