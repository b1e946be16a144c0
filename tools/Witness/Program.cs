using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Witness;

if (CommandLine.Parse(args, out var refusal) is not { } commandLine)
{
    await Console.Error.WriteLineAsync(refusal);
    return 2;
}

// A hundred signatures and 63 hashes are some 20 KiB.
const int bodySizeBytesMax = 64 * 1024;

var builder = WebApplication.CreateSlimBuilder();
builder.Logging.SetMinimumLevel(LogLevel.Warning).AddSimpleConsole(console => console.SingleLine = true);
// A port that is taken is told in one line below, not with the stack.
builder.Logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.Limits.MaxRequestBodySize = bodySizeBytesMax;
    kestrel.Listen(IPAddress.Loopback, commandLine.Port);
});

try
{
    using var ledger = Ledger.Open(commandLine.State, commandLine.Logs.Select(log => log.Name));
    var key = WitnessKey.Open(commandLine.Name, commandLine.KeyFile);
    var addCheckpoint = new AddCheckpoint(ledger, commandLine.Logs, key, TimeProvider.System);

    var app = builder.Build();
    app.MapPost("/add-checkpoint", async (HttpRequest request, CancellationToken cancel) =>
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, cancel);
        var answer = await addCheckpoint.HandleAsync(body.ToArray(), cancel);
        var type = answer.Status == 409 ? "text/x.tlog.size" : "text/plain; charset=utf-8";
        return Results.Text(answer.Body, type, statusCode: answer.Status);
    });

    await app.StartAsync();
    Console.WriteLine(key.Verifier);
    var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!;
    Console.WriteLine($"Listening on {addresses.Addresses.Single()}");
    await app.WaitForShutdownAsync();
    return 0;
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException)
{
    await Console.Error.WriteLineAsync($"The witness cannot work: {e.Message}");
    return 1;
}
