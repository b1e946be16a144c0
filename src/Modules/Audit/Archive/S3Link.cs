using System.Diagnostics.Metrics;
using System.Net;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;

namespace Audit;

/// <summary>
/// The way to the bucket: asks within a time, and turns whatever fails into an <see cref="ArchiveStoreException"/>.
/// </summary>
/// <remarks>Safe to use from many threads at once. Nothing is asked before the first call.</remarks>
internal sealed class S3Link : IDisposable
{
    /// <summary>The meter of what is asked of the archive's store.</summary>
    public const string MeterName = "Audit.Archive";

    // Within the time of the whole request. Whoever asked tries again after that.
    private const int RetryCountMax = 1;

    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    // Renewed by themselves, or the bytes were damaged on their way.
    private static readonly HashSet<string> TransientCodes = new(StringComparer.Ordinal)
    {
        "ExpiredToken", "OperationAborted", "RequestTimeout", "SlowDown", "BadDigest", "XAmzContentSHA256Mismatch",
    };

    private readonly AmazonS3Client _client;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _clock;
    private readonly Counter<long>? _requests;

    /// <param name="options">Which bucket, and how to get there.</param>
    /// <param name="clock">What the time of a request goes by.</param>
    /// <param name="meters">Counts requests; null where nobody looks.</param>
    public S3Link(S3ArchiveOptions options, TimeProvider clock, IMeterFactory? meters = null)
    {
        _requests = meters?.Create(MeterName).CreateCounter<long>(
            "archive.requests", "{request}", "Requests to the archive's bucket, by outcome.");
        Bucket = options.Bucket;
        IsAws = options.ServiceUrl.Length == 0;
        _timeout = options.RequestTimeout;
        _clock = clock;
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.ForcePathStyle,
            Timeout = options.RequestTimeout,
            ConnectTimeout = ConnectTimeout < _timeout ? ConnectTimeout : _timeout,
            MaxErrorRetry = RetryCountMax,
            // Each put brings its own, and digests of what is read are compared by whoever recorded them.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            HttpClientFactory = new Connections(),
        };
        if (IsAws)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        }
        else
        {
            config.ServiceURL = options.ServiceUrl;
            config.AuthenticationRegion = options.Region;
        }

        _client = options.AccessKey.Length > 0
            ? new(new BasicAWSCredentials(options.AccessKey, options.SecretKey), config) : new(config);
    }

    public string Bucket { get; }

    /// <summary>False for other servers that speak S3.</summary>
    public bool IsAws { get; }

    public void Dispose() => _client.Dispose();

    /// <summary>Asks the store.</summary>
    /// <param name="what">What the answer is for, as it stands in a message: <c>x could not be read</c>.</param>
    /// <param name="ask">Is given what ends it.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="ArchiveStoreException">There was no answer, or it was no.</exception>
    public async Task<T> AskAsync<T>(
        string what, Func<AmazonS3Client, CancellationToken, Task<T>> ask, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(_timeout, _clock);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            var answer = await ask(_client, end.Token);
            Count("answered");
            return answer;
        }
        catch (AmazonS3Exception e)
        {
            Count("refused");
            throw Failed(what, $"{e.ErrorCode} ({(int)e.StatusCode})", IsTransient(e), e);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            Count("unanswered");
            throw Failed(what, $"no answer within {_timeout.TotalSeconds:0.#} s", true, e);
        }
        catch (Exception e) when (IsOfTheWay(e))
        {
            cancel.ThrowIfCancellationRequested();
            Count("unanswered");
            throw Failed(what, e.GetBaseException().Message.ReplaceLineEndings(" ").TrimEnd(' ', '.'), true, e);
        }
    }

    /// <summary>As <see cref="AskAsync"/>, but null where the store says one of some codes.</summary>
    public async Task<T?> AskUnlessAsync<T>(
        string what, string[] codes, Func<AmazonS3Client, CancellationToken, Task<T>> ask, CancellationToken cancel)
        where T : class
    {
        try
        {
            return await AskAsync(what, ask, cancel);
        }
        catch (ArchiveStoreException e)
            when (e.InnerException is AmazonS3Exception { ErrorCode: var code } && codes.Contains(code))
        {
            return null;
        }
    }

    private void Count(string outcome) => _requests?.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    // The connection broke, or there were no credentials to be had.
    private static bool IsOfTheWay(Exception e) => e is AmazonClientException or AmazonServiceException
        or HttpRequestException or TimeoutException or (IOException and not ArchiveStoreException);

    private static bool IsTransient(AmazonS3Exception e) =>
        e.StatusCode is >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests
            or HttpStatusCode.RequestTimeout
        || e.StatusCode == default // No answer at all.
        || TransientCodes.Contains(e.ErrorCode ?? "");

    // The store's own words may repeat what was sent: its code says enough.
    private ArchiveStoreException Failed(string what, string why, bool isTransient, Exception e) =>
        new($"Archive in bucket {Bucket}: {what}: {why}{Advice(why)}.", isTransient, e)
        {
            IsCold = e is AmazonS3Exception { ErrorCode: "InvalidObjectState" },
        };

    private static string Advice(string why) => why.Split(' ')[0] switch
    {
        "NoSuchBucket" => "; run admin archive init",
        "InvalidAccessKeyId" or "SignatureDoesNotMatch" =>
            "; look at Archive__S3__AccessKey and Archive__S3__SecretKey",
        "InvalidObjectState" => "; it is in cold storage and has to be restored first",
        _ => "",
    };

    private sealed class Connections : Amazon.Runtime.HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig)
        {
            var sockets = new SocketsHttpHandler
            {
                ConnectTimeout = clientConfig.ConnectTimeout ?? ConnectTimeout,
                // The name may come to mean other machines.
                PooledConnectionLifetime = TimeSpan.FromMinutes(5),
                AllowAutoRedirect = false,
            };
            return new(new WithoutExpect(sockets)) { Timeout = Timeout.InfiniteTimeSpan };
        }
    }

    /// <summary>Some servers lose their place on a connection after <c>Expect: 100-continue</c>.</summary>
    private sealed class WithoutExpect(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.ExpectContinue = false;
            return base.SendAsync(request, cancellationToken);
        }
    }
}
