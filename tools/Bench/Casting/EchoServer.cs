using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bench;

/// <summary>
/// The floor of casting, in a process of its own: Kestrel takes the same request, reads the ballot as JSON by generated
/// code, and writes it back. No routing, no tokens, no log.
/// </summary>
internal static class EchoServer
{
    public const string Verb = "serve-echo";

    /// <summary>Serves until standard input is closed.</summary>
    public static async Task<int> RunAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        await using var app = builder.Build();
        app.Run(async context =>
        {
            var ballot = await JsonSerializer.DeserializeAsync(
                context.Request.BodyReader, EchoJson.Default.EchoBallot, context.RequestAborted);
            await context.Response.WriteAsJsonAsync(ballot, EchoJson.Default.EchoBallot);
        });
        await app.StartAsync();
        Console.WriteLine($"Listening on {app.Urls.Single()}");
        await Console.In.ReadToEndAsync();
        return 0;
    }

    /// <summary>Starts it.</summary>
    public static async Task<(ChildProgram Process, Uri Address)> StartAsync(CancellationToken cancel)
    {
        var process = ChildProgram.StartSelf(Verb);
        const string says = "Listening on ";
        return (process, await process.HearAsync(
            line => line.StartsWith(says, StringComparison.Ordinal) ? new Uri(line[says.Length..]) : null, cancel));
    }
}

internal sealed record EchoAnswer(string Question, string[] Options);

internal sealed record EchoBallot(EchoAnswer[] Answers);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(EchoBallot))]
internal sealed partial class EchoJson : JsonSerializerContext;
