using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Platform;

/// <summary>Adds the key ring.</summary>
public static class KeySetup
{
    /// <summary>Adds <see cref="MasterKey"/> and <see cref="KeyRing"/>; needs the database and the shard map.</summary>
    public static IServiceCollection AddKeys(this IServiceCollection services)
    {
        services.AddSettings<KeyOptions>("Keys");
        services.TryAddSingleton<PlatformDatabase>();
        services.TryAddSingleton<MasterKey>();
        services.TryAddSingleton(provider => new KeyRing(
            provider.GetRequiredService<PlatformDatabase>(), provider.GetRequiredService<MasterKey>(),
            provider.GetServices<KeyPurpose>()));
        return services;
    }

    /// <summary>Says that there are keys for a purpose. Its first one is made by the verb <c>migrate</c>.</summary>
    public static IServiceCollection AddKeyPurpose(
        this IServiceCollection services, string name, KeyAlgorithm algorithm, bool published = false) =>
        services.AddSingleton(new KeyPurpose(
            name, algorithm, published && algorithm is KeyAlgorithm.Rs256 or KeyAlgorithm.Es256));
}
