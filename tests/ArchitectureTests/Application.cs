using System.Security.Cryptography;
using Host;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Platform;

namespace ArchitectureTests;

/// <summary>The host's application of some roles, composed as the host composes it and never started.</summary>
internal static class Application
{
    /// <summary>Builds it and shows it; no server is needed for that.</summary>
    public static async Task<T> OfAsync<T>(Role roles, Func<WebApplication, T> look)
    {
        await using var app = Composition.Build(roles, new(null,
        [
            "--Database:ConnectionString=Host=127.0.0.1;Port=1;Database=none;Username=none",
            $"--Keys:MasterKey={Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))}",
            "--Log:Provider=postgres",
            "--Voting:Reservations=in-process",
            "--Archive:Directory=archive",
        ]));
        return look(app);
    }

    public static Task<Endpoint[]> EndpointsAsync(Role roles) => OfAsync(roles, app =>
    {
        Composition.Map(app, roles);
        return ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).ToArray();
    });

    public static Task<SettingsSection[]> SettingsAsync() =>
        OfAsync(Role.All, app => app.Services.GetServices<SettingsSection>().ToArray());
}
