using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Results;

/// <summary>
/// Ready for requests once every new tally comes to this process: before that, loading a survey waits.
/// </summary>
internal sealed class TalliesAreFollowed(Boards boards) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(boards.AreFollowed ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy());
}
