using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Voting;

/// <summary>
/// Tells the installation, before this process accepts anything, how long it may go on accepting by an old reading: no
/// fence is appended sooner, even where processes were started with different leases.
/// </summary>
internal sealed class AnnounceLease(VotingDatabase database, IOptions<VotingOptions> options) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var raise = database.Control.CreateCommand(
            "UPDATE voting.api_lease SET longest = $1 WHERE longest < $1");
        raise.Parameters.Add(new() { Value = options.Value.Lease });
        await raise.ExecuteNonQueryAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
