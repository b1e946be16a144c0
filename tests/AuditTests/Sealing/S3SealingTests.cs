using Audit;
using Testing;

namespace AuditTests;

/// <summary>The same on a server with Object Lock, where the same bytes again are one more version.</summary>
public sealed class S3SealingTests(Postgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Ended_and_overtaken_everything_is_sealed_once()
    {
        using var link = await ObjectStores.LinkAsync(await ObjectStores.NewBucketAsync());
        var store = new S3Archive(link, 1, TimeProvider.System);
        await using var site = await SealingSite.OpenAsync(postgres, store);
        await site.AppendEverywhereAsync(30);
        var log = SealingSite.Logs.Votes[1];
        foreach (var request in new[] { "put segment", "put checkpoint" })
        {
            foreach (var isDone in new[] { false, true })
            {
                var gate = new Gate(store);
                var came = isDone ? gate.HoldAfter(request, log.Folder) : gate.HoldBefore(request, log.Folder);
                await site.RestartAsync(gate);
                await site.AppendEverywhereAsync(10);
                await came.WaitAsync(SealingSite.Patience, Cancel);
            }
        }

        var last = await site.RestartAsync();
        site.Start(groups: "-of-another");
        await site.AppendEverywhereAsync(50);
        await site.SettledAsync();

        // What was put and never named stays for its retention, and is no evidence.
        await SealedArchive.AssertAllAsync(site, last, isPure: false);
    }
}
