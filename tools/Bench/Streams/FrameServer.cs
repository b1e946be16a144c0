using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Bench;

/// <summary>
/// The floor of live results, in a process of its own: Kestrel holds every connection and writes the same bytes to each
/// through its body writer, from as many loops as there are cores. Nobody is looked after.
/// </summary>
internal static class FrameServer
{
    public const string Verb = "serve-frames";

    /// <summary>A line of standard input sends it as a frame; serves until standard input is closed.</summary>
    public static async Task<int> RunAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        // As the platform's own processes for streams have it.
        builder.Services.Configure<SocketTransportOptions>(
            transport => transport.UnsafePreferInlineScheduling = true);
        await using var app = builder.Build();
        var bodies = new ConcurrentQueue<PipeWriter>();
        var never = new TaskCompletionSource();
        var frame = Array.Empty<byte>();
        app.Run(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            var body = context.Response.BodyWriter;
            await body.WriteAsync(frame);
            bodies.Enqueue(body);
            await never.Task;
        });
        await app.StartAsync();
        Console.WriteLine($"Listening on {app.Urls.Single()}");
        while (await Console.In.ReadLineAsync() is { } line)
        {
            frame = Convert.FromBase64String(line);
            var all = bodies.ToArray();
            await Parallel.ForAsync(0, Environment.ProcessorCount, async (loop, stop) =>
            {
                for (var i = loop; i < all.Length; i += Environment.ProcessorCount)
                    await all[i].WriteAsync(frame, stop);
            });
        }

        never.SetResult();
        return 0;
    }
}
