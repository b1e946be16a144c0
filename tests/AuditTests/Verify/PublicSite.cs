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
internal sealed class PublicSite(Digest[] entries, string log = "votes-00") : IAsyncDisposable
{

    private WebApplication? _app;
    private int _refusals;

    public NoteSigner Signer { get; } = ArchivedElection.Signer(log);

    /// <summary>Who signs the checkpoint beside the log, from which time on that it is asked for.</summary>
    public List<(NoteSigner Witness, int After)> Witnesses { get; } = [];

    /// <summary>Statements of results; the site lists none while this is null.</summary>
    public Dictionary<int, byte[]?>? Results { get; set; }

    public int CheckpointCount { get; private set; }

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
            var signed = SignedCheckpoint.Sign(new(Signer.Verifier.Name, entries.Length, tree.Root), Signer);
            return signed.With([.. Witnesses.Where(one => one.After < CheckpointCount).Select(one =>
                one.Witness.Cosign(signed.Checkpoint.Text, DateTimeOffset.UnixEpoch))]);
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
                {"items":[{"log":"{{log}}","origin":"{{Signer.Verifier.Name}}","vkey":"{{Signer.Verifier}}",
                "size":{{entries.Length}},"prefix":"/v1/audit/logs/{{log}}"}],"next":null}
                """, "application/json");
        }

        if (path == "v1/audit/results" && Results is not null)
        {
            return TypedResults.Text($$"""
                {"items":[{{string.Join(',', Results.Keys.Select(id => $"\"{id}\""))}}],"next":null}
                """, "application/json");
        }

        if (Results?.FirstOrDefault(one => path == $"v1/audit/results/{one.Key}").Value is { } statement)
            return TypedResults.Bytes(statement);
        var below = path.Replace($"v1/audit/logs/{log}/", "", StringComparison.Ordinal);
        var bytes = Lies.TryGetValue(below, out var lie) ? lie : Truth(below);
        return bytes is null ? TypedResults.NotFound() : TypedResults.Bytes(bytes);
    }

    private byte[]? Truth(string path)
    {
        if (path == "checkpoint") CheckpointCount++;
        if (path == "checkpoint") return System.Text.Encoding.UTF8.GetBytes(Checkpoint.ToString());
        if (!TileId.TryParse(path, out var tile) || !tile.IsOf(entries.Length)) return null;
        var first = (int)tile.Index * TileId.FullWidth;
        if (tile.Level == TileId.EntriesLevel) return EntryBundle.Encode(entries.AsSpan(first, tile.Width));
        var below = 1 << (TileId.Height * tile.Level);
        return [.. Enumerable.Range(first, tile.Width).SelectMany(index => NaiveTree.Root(
            [.. entries.AsSpan(index * below, below).ToArray().Select(entry => entry.ToArray())]))];
    }
}
