using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Audit;

/// <summary>Writes what was found as a file, however much it is, with a bounded part of it in memory.</summary>
internal sealed partial class ExportEvents(
    SearchEvents events, EventBytes bytes, ReadingMetrics metrics, TimeProvider clock, ILogger<ExportEvents> logger)
    : IDisposable
{
    public const string NdjsonType = "application/x-ndjson";
    private const string CsvType = "text/csv; charset=utf-8; header=present";

    // Each reads the index and the archive as fast as its reader takes it.
    private const int ExportCountMax = 4;
    private const int BatchCountMax = 1_000;

    // Of the bytes of events that a batch may hold.
    private const long BatchSizeBytesMax = 32 * 1024 * 1024;

    private readonly SemaphoreSlim _places = new(ExportCountMax);

    /// <summary>Writes the answer, oldest event first, up to those of this moment.</summary>
    /// <returns>False, with nothing written, when too many others are being written.</returns>
    public async Task<bool> WriteAsync(EventFilter filter, ExportFormat format, bool withEvents, HttpContext context)
    {
        if (!await _places.WaitAsync(0)) return false;
        try
        {
            // Without an end it would follow the log for ever.
            var end = clock.GetUtcNow();
            var bounded = filter with { To = filter.To < end ? filter.To : end };
            await WriteBoundedAsync(bounded, format, withEvents, context);
            return true;
        }
        finally
        {
            _places.Release();
        }
    }

    public void Dispose() => _places.Dispose();

    private async Task WriteBoundedAsync(
        EventFilter filter, ExportFormat format, bool withEvents, HttpContext context)
    {
        var cancel = context.RequestAborted;
        // What fails before the first event is a problem document; later only the end of the connection can tell.
        var batch = await BatchAsync(filter, null, withEvents, BatchCountMax, cancel);
        var (response, csv) = (context.Response, format is ExportFormat.Csv);
        response.ContentType = csv ? CsvType : NdjsonType;
        response.Headers.ContentDisposition = $"attachment; filename=\"events.{(csv ? "csv" : "ndjson")}\"";
        using var lines = new ExportLines(response.BodyWriter, format, withEvents);
        try
        {
            lines.WriteHead();
            while (batch.Count > 0)
            {
                foreach (var (one, content) in batch) lines.Write(one, content);
                metrics.Exported.Add(batch.Count);
                if (!await FlushAsync(response.BodyWriter, cancel)) return;
                batch = await BatchAsync(filter, EventPlace.Of(batch[^1].Event), withEvents, BatchCountMax, cancel);
            }

            await FlushAsync(response.BodyWriter, cancel);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            BrokenOff(logger, e);
            context.Abort();
        }
    }

    private async Task<List<(ArchivedEvent Event, byte[]? Bytes)>> BatchAsync(
        EventFilter filter, EventPlace? after, bool withEvents, int countMax, CancellationToken cancel)
    {
        var found = await events.ReadAsync(filter, after, newestFirst: false, countMax, cancel);
        if (!withEvents) return [.. found.Select(one => (one, (byte[]?)null))];
        // Events are small as a rule; where they are not, fewer at a time.
        return await bytes.ReadAsync(found, BatchSizeBytesMax, cancel) is { } contents
            ? [.. found.Zip(contents, (one, content) => (one, (byte[]?)content))]
            : await BatchAsync(filter, after, withEvents, Math.Max(1, found.Count / 4), cancel);
    }

    private static async ValueTask<bool> FlushAsync(PipeWriter to, CancellationToken cancel) =>
        await to.FlushAsync(cancel) is { IsCompleted: false, IsCanceled: false };

    [LoggerMessage(LogLevel.Warning, "An export of events broke off")]
    private static partial void BrokenOff(ILogger logger, Exception failure);
}
