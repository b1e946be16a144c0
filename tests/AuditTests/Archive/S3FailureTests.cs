using System.Net;
using System.Net.Sockets;
using System.Text;
using Audit;
using Microsoft.Extensions.Time.Testing;
using Testing;

namespace AuditTests;

/// <summary>What fails on the way to the bucket says whether trying again may help, and never a secret.</summary>
public sealed class S3FailureTests
{
    private const string Json = "application/json";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_store_that_is_down_may_come_back()
    {
        using var closed = Listen();
        var address = AddressOf(closed);
        closed.Stop();

        await FailsAsync(To(address), isTransient: true, "refused");
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_waited_for_only_so_long()
    {
        // Connections are taken by the system, and nobody reads what they bring.
        using var silent = Listen();

        await FailsAsync(To(AddressOf(silent), TimeSpan.FromSeconds(0.5)), isTransient: true, "no answer within 0.5 s");
    }

    [Fact]
    public async Task Whoever_stops_waiting_is_told_so()
    {
        using var silent = Listen();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var put = To(AddressOf(silent)).PutAsync("votes/x", Encoding.UTF8.GetBytes("{}"), Json, stop.Token);
        using var taken = await silent.AcceptSocketAsync(Cancel);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => put);
    }

    [Theory]
    [InlineData(500, "InternalError", true)]
    [InlineData(503, "SlowDown", true)]
    [InlineData(429, "TooManyRequests", true)]
    [InlineData(400, "ExpiredToken", true)]
    [InlineData(409, "OperationAborted", true)]
    [InlineData(403, "AccessDenied", false)]
    [InlineData(403, "InvalidObjectState", false)]
    [InlineData(404, "NoSuchBucket", false)]
    [InlineData(301, "PermanentRedirect", false)]
    public async Task An_answer_says_whether_it_may_pass(int status, string code, bool isTransient)
    {
        using var server = Listen();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var body = $"<Error><Code>{code}</Code><Message>You sent SECRET</Message></Error>";
        var answering = AnswerAsync(server, $"HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\n"
            + $"Connection: close\r\nContent-Length: {body.Length}\r\n\r\n{body}", end.Token);

        var failure = await Assert.ThrowsAsync<ArchiveStoreException>(
            () => To(AddressOf(server)).ReadAsync("votes/x", "1", Cancel));
        await end.CancelAsync();

        Assert.Contains($"{code} ({status})", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("SECRET", failure.Message, StringComparison.Ordinal);
        Assert.Equal(isTransient, failure.IsTransient);
        await answering;
    }

    [Fact]
    public async Task A_put_asks_for_retention_and_brings_its_checksums()
    {
        using var server = Listen();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var answering = AnswerAsync(server, "HTTP/1.1 200 OK\r\nx-amz-version-id: v1\r\nETag: \"x\"\r\n"
            + "Connection: close\r\nContent-Length: 0\r\n\r\n", end.Token);

        var put = await To(AddressOf(server)).PutAsync("votes/x", Encoding.UTF8.GetBytes("{}"), Json, Cancel);
        await end.CancelAsync();

        Assert.Equal("v1", put.VersionId);
        var head = Assert.Single(await answering).Split("\r\n");
        Assert.Equal("PUT /some-bucket/votes/x HTTP/1.1", head[0]);
        Assert.Contains("x-amz-object-lock-mode: COMPLIANCE", head);
        Assert.Contains(head, line => line.StartsWith(
            "x-amz-object-lock-retain-until-date: 2027-01-02T00:00:00", StringComparison.Ordinal));
        Assert.Contains("Content-MD5: mZFLkyvTelC5g8XnyQrpOw==", head);
        Assert.Contains("x-amz-checksum-sha256: RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=", head);
        Assert.Contains("Content-Type: application/json", head);
        Assert.Contains("Content-Length: 2", head);
        Assert.DoesNotContain(head, line => line.StartsWith("Expect", StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain(head, line => line.Contains("aws-chunked", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Whether_there_is_a_newer_checkpoint_costs_one_request()
    {
        using var server = Listen();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        // As it is before each signature: the segment lies there, and no checkpoint that names it.
        var body = "<ListVersionsResult><IsTruncated>false</IsTruncated><Version>"
            + $"<Key>{ArchiveKey.Segment("votes/votes-07", 8)}</Key><VersionId>v1</VersionId><Size>2</Size>"
            + "</Version></ListVersionsResult>";
        var answering = AnswerAsync(server, "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n"
            + $"Connection: close\r\nContent-Length: {body.Length}\r\n\r\n{body}", end.Token);

        var newest = await To(AddressOf(server)).NewestCheckpointAsync("votes/votes-07", 7, long.MaxValue, Cancel);
        await end.CancelAsync();

        Assert.Null(newest);
        Assert.Contains("key-marker=votes%2Fvotes-07%2Fcheckpoint_0000000007%2F~",
            Assert.Single(await answering), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_put_that_gets_no_version_id_is_no_put()
    {
        using var server = Listen();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var answering = AnswerAsync(
            server, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", end.Token);

        var failure = await Assert.ThrowsAsync<ArchiveStoreException>(
            () => To(AddressOf(server)).PutAsync("votes/x", Encoding.UTF8.GetBytes("{}"), Json, Cancel));
        await end.CancelAsync();

        Assert.False(failure.IsTransient);
        Assert.Contains("not versioned", failure.Message, StringComparison.Ordinal);
        await answering;
    }

    [Fact]
    public async Task Wrong_credentials_are_for_somebody_to_mend()
    {
        const string Secret = "wrongwrongwrong";
        var bucket = ObjectStore.NewBucket();

        foreach (var change in new Action<S3ArchiveOptions>[]
        {
            options => options.SecretKey = Secret,
            options => (options.AccessKey, options.SecretKey) = ("nobody", Secret),
        })
        {
            await FailsAsync(
                await ObjectStores.ArchiveAsync(bucket, change), isTransient: false, "Archive__S3__", Secret);
        }
    }

    [Fact]
    public async Task A_missing_bucket_is_for_somebody_to_make() =>
        await FailsAsync(
            await ObjectStores.ArchiveAsync(ObjectStore.NewBucket()), isTransient: false, "run admin archive init");

    [Fact]
    public async Task A_bucket_without_lock_takes_nothing()
    {
        var bucket = ObjectStore.NewBucket();
        using var link = await ObjectStores.LinkAsync(bucket);
        await link.AskAsync("could not be made", (s3, end) => s3.PutBucketAsync(bucket, end), Cancel);
        var store = await ObjectStores.ArchiveAsync(bucket);

        var refusal = await Assert.ThrowsAsync<ArchiveStoreException>(
            () => store.PutAsync("votes/x", Encoding.UTF8.GetBytes("{}"), Json, Cancel));
        Assert.False(refusal.IsTransient, refusal.Message);
    }

    private static async Task FailsAsync(S3Archive store, bool isTransient, string says, string? never = null)
    {
        var key = ArchiveKey.Checkpoint("votes/votes-07", 1);
        foreach (var ask in new Func<Task>[]
        {
            () => store.PutAsync(key, Encoding.UTF8.GetBytes("{}"), Json, Cancel),
            () => store.ReadAsync(key, "x", Cancel),
            () => store.ListAsync(key, Cancel).ToListAsync(Cancel).AsTask(),
            () => store.NewestCheckpointAsync("votes/votes-07", 0, long.MaxValue, Cancel),
        })
        {
            var failure = await Assert.ThrowsAsync<ArchiveStoreException>(ask);
            Assert.Equal(isTransient, failure.IsTransient);
            Assert.Contains(says, failure.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', failure.Message);
            if (never is not null) Assert.DoesNotContain(never, failure.ToString(), StringComparison.Ordinal);
        }
    }

    /// <summary>Takes one connection after the other, reads a request's head and answers always the same.</summary>
    /// <returns>The heads, once it is told to end.</returns>
    private static async Task<List<string>> AnswerAsync(TcpListener server, string answer, CancellationToken end)
    {
        var heads = new List<string>();
        try
        {
            while (true)
            {
                using var client = await server.AcceptTcpClientAsync(end);
                await using var stream = client.GetStream();
                var (head, buffer) = ("", new byte[16_384]);
                while (!head.Contains("\r\n\r\n", StringComparison.Ordinal)
                    && await stream.ReadAsync(buffer, end) is var count and > 0)
                {
                    head += Encoding.ASCII.GetString(buffer, 0, count);
                }

                heads.Add(head);
                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), end);
            }
        }
        catch (OperationCanceledException)
        {
            return heads;
        }
    }

    private static S3Archive To(string address, TimeSpan? timeout = null)
    {
        var options = new S3ArchiveOptions
        {
            ServiceUrl = address,
            Bucket = "some-bucket",
            AccessKey = "key",
            SecretKey = "secret",
            RequestTimeout = timeout ?? TimeSpan.FromSeconds(30),
        };
        // What is waited for is a real server; only retention goes by a clock of the test's own.
        return new(new(options, TimeProvider.System), 1, new FakeTimeProvider(
            new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero)));
    }

    private static TcpListener Listen()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return listener;
    }

    private static string AddressOf(TcpListener listener) => $"http://{listener.LocalEndpoint}";
}
