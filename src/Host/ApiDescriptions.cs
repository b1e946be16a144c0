using Microsoft.OpenApi;
using Platform;
using Scalar.AspNetCore;

namespace Host;

/// <summary>OpenAPI documents of what each listener offers, and a page to read each.</summary>
internal static class ApiDescriptions
{
    private static readonly Dictionary<string, Listener> Documents =
        new() { ["v1"] = Listener.Public, ["internal"] = Listener.Internal };

    public static void AddApiDescriptions(this IServiceCollection services)
    {
        foreach (var (name, listener) in Documents)
        {
            services.AddOpenApi(name, options =>
            {
                options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
                options.ShouldInclude = description => description.ActionDescriptor.EndpointMetadata
                    .OfType<ListenerMetadata>().Any(said => said.Listener == listener);
                options.AddDocumentTransformer((document, _, _) =>
                {
                    document.Info.Title = $"Voting, {name}";
                    document.Info.Version = "1";
                    // Behind a load balancer the process does not know its own address.
                    document.Servers?.Clear();
                    return Task.CompletedTask;
                });
            });
        }
    }

    public static void MapApiDescriptions(this IEndpointRouteBuilder endpoints)
    {
        foreach (var (name, listener) in Documents)
        {
            var group = endpoints.MapGroup("").OnListener(listener).AllowAnonymous();
            // The slim host knows no regular expressions in routes; no two documents' names are equally long.
            group.MapOpenApi($"/openapi/{{documentName:length({name.Length})}}.json");
            group.MapScalarApiReference($"/openapi/{name}", options => options
                .WithTitle($"Voting, {name}").WithOpenApiRoutePattern($"/openapi/{name}.json").DisableDefaultFonts());
        }
    }
}
