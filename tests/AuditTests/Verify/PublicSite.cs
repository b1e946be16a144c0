using System.Net;
using Audit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AuditTests;

/// <summary>The public reads of one log as the contract has them, at the wire, from a list of entries.</summary>
internal sealed class PublicSite(Digest[] entries) : IAsyncDisposable
{
    public const string Origin = "voting.example/votes-00";

    private WebApplication? _app;
    private int _refusals;

    public static NoteSigner Signer { get; } = ArchivedElection.Signer("votes-00");

    /// <summary>What is served for a path instead of the truth: null is 404.</summary>
    public Dictionary<string, byte[]?> Lies { get; } = new(StringComparer.Ordinal);

    /// <summary>Requests that are told to come back later.</summary>
    public int RefusalCount { get; set; }

    public Uri Address { get; private set; } = new("http://127.0.0.1");

    public SignedCheckpoint Checkpoint
    {
        get
        {
            var tree = new TreeFrontier();
            tree.Append(entries);
            return SignedCheckpoint.Sign(new(Origin, entries.Length, tree.Root), Signer);
        }
    }

    public async Task StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.MapGet("{**path}", Answer);
        await _app.StartAsync();
        Address = new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!
            .Addresses.Single());
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
    }

    private IResult Answer(string path, HttpContext context)
    {
        if (Interlocked.Increment(ref _refusals) <= RefusalCount)
        {
            context.Response.Headers.RetryAfter = "0";
            return TypedResults.StatusCode(StatusCodes.Status429TooManyRequests);
        }

        if (path == "v1/audit/logs")
        {
            return TypedResults.Text($$"""
                {"items":[{"log":"votes-00","origin":"{{Origin}}","vkey":"{{Signer.Verifier}}",
                "size":{{entries.Length}},"prefix":"/v1/audit/logs/votes-00"}],"next":null}
                """, "application/json");
        }

        var below = path.Replace("v1/audit/logs/votes-00/", "", StringComparison.Ordinal);
        var bytes = Lies.TryGetValue(below, out var lie) ? lie : Truth(below);
        return bytes is null ? TypedResults.NotFound() : TypedResults.Bytes(bytes);
    }

    private byte[]? Truth(string path)
    {
        if (path == "checkpoint") return System.Text.Encoding.UTF8.GetBytes(Checkpoint.ToString());
        if (!TileId.TryParse(path, out var tile) || !tile.IsOf(entries.Length)) return null;
        var first = (int)tile.Index * TileId.FullWidth;
        if (tile.Level == TileId.EntriesLevel) return EntryBundle.Encode(entries.AsSpan(first, tile.Width));
        var below = 1 << (TileId.Height * tile.Level);
        return [.. Enumerable.Range(first, tile.Width).SelectMany(index => NaiveTree.Root(
            [.. entries.AsSpan(index * below, below).ToArray().Select(entry => entry.ToArray())]))];
    }
}
