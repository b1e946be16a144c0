using System.Net;
using Sandbox;

if (CommandLine.Parse(args, out var refusal) is not { } commandLine)
{
    await Console.Error.WriteLineAsync(refusal);
    return 2;
}

var builder = WebApplication.CreateSlimBuilder();
builder.Configuration["AllowedHosts"] = "127.0.0.1;localhost";
builder.Logging.SetMinimumLevel(LogLevel.Warning).AddSimpleConsole(console => console.SingleLine = true);
// A port that is taken is told in one line below, not with the stack.
builder.Logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, commandLine.Port));
builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, Json.Default));
builder.Services.AddProblemDetails();
builder.Services.AddSingleton(commandLine);
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton<Address>();
builder.Services.AddSingleton<Providers>();
builder.Services.AddSingleton<IdTokens>();
builder.Services.AddSingleton<PlatformSignIn>();
builder.Services.AddSingleton<NewVoters>();

var app = builder.Build();
app.UseExceptionHandler();
app.UseStatusCodePages();
app.MapDiscovery();
app.MapIdTokens();
app.MapNewVoters();

try
{
    await app.StartAsync();
}
catch (IOException e)
{
    await Console.Error.WriteLineAsync($"The sandbox cannot listen on port {commandLine.Port}: {e.Message}");
    return 1;
}

Console.WriteLine($"Listening on {app.Services.GetRequiredService<Address>().Base}");
await app.WaitForShutdownAsync();
return 0;
