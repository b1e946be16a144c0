using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>Runs one relay for every database in which a module has outboxes: none of them waits for another.</summary>
internal sealed class RelayOutboxes(
    IEventLog log, IEnumerable<ModuleOutboxes> modules, IOptions<OutboxOptions> options,
    IOptions<DatabaseOptions> database, OutboxMetrics metrics, TimeProvider clock, ILogger<OutboxRelay> logger)
    : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        modules.SelectMany(OutboxTables.Of).Select(tables => new OutboxRelay(
            tables, log, options.Value, database.Value.SilenceMax / 2, metrics, clock, logger)
            .RunAsync(stoppingToken)));
}
