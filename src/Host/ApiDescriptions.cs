using Microsoft.AspNetCore.OpenApi;
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
            // The framework's own route has the name as a parameter: its 405 would answer for every name everywhere.
            group.MapGet($"/openapi/{name}.json", (HttpContext context) => WriteAsync(name, context))
                .ExcludeFromDescription();
            group.MapScalarApiReference($"/openapi/{name}", options => options
                .WithTitle($"Voting, {name}").WithOpenApiRoutePattern($"/openapi/{name}.json").DisableDefaultFonts());
        }
    }

    private static async Task WriteAsync(string name, HttpContext context)
    {
        var documents = context.RequestServices.GetRequiredKeyedService<IOpenApiDocumentProvider>(name);
        var document = await documents.GetOpenApiDocumentAsync(context.RequestAborted);
        using var json = new MemoryStream();
        await document.SerializeAsJsonAsync(json, OpenApiSpecVersion.OpenApi3_1, context.RequestAborted);
        context.Response.ContentType = "application/json; charset=utf-8";
        context.Response.ContentLength = json.Length;
        await context.Response.Body.WriteAsync(json.GetBuffer().AsMemory(0, (int)json.Length), context.RequestAborted);
    }
}
