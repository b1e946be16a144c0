using System.ComponentModel.DataAnnotations;
using System.Net;

namespace Platform;

/// <summary>Where the process listens and for whom. Section <c>Http</c>.</summary>
public sealed class HttpOptions : IValidatableObject
{
    private const int ConnectionCountMin = 10;
    private const int ConnectionCountDefault = 100_000;

    /// <summary>The address that all listeners bind; <c>0.0.0.0</c> in a container.</summary>
    [Required]
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>api, sse and public audit reads; 0 lets the system choose.</summary>
    [Range(0, 65_535)]
    public int PublicPort { get; set; } = 8080;

    /// <summary>Backoffice; 0 lets the system choose.</summary>
    [Range(0, 65_535)]
    public int InternalPort { get; set; } = 8081;

    /// <summary>Health and metrics; 0 lets the system choose.</summary>
    [Range(0, 65_535)]
    public int ManagementPort { get; set; } = 9090;

    /// <summary>
    /// Origins of web pages that may call more than public GETs, such as <c>https://vote.example</c>.
    /// </summary>
    public string[] AllowedOrigins { get; set; } = [];

    /// <summary>
    /// Most connections at once on each listener; further ones are closed at once. 0: as many as the process may have
    /// files open, less a reserve for all else, and 100,000 at most.
    /// </summary>
    [Range(0, 1_000_000)]
    public int ConnectionCountMax { get; set; }

    /// <summary>
    /// Most requests under way at once on the public listener, streams of results and those that wait for their bodies
    /// apart; further ones are answered 503 at once. Each may take some 20 KB.
    /// </summary>
    [Range(10, 1_000_000)]
    public int RequestCountMax { get; set; } = 5_000;

    /// <summary>
    /// Most requests on the public listener that wait for their bodies at once, a tenth of them of one address; further
    /// ones are answered 503 at once. Each may take up to 64 KiB.
    /// </summary>
    [Range(100, 1_000_000)]
    public int RequestBodyCountMax { get; set; } = 10_000;

    /// <summary>Longest time a request's body may take to arrive once its head has; then 408.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:02:00")]
    public TimeSpan RequestBodyTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Networks whose proxies say truly, in <c>X-Forwarded-For</c>, whose request they forward.
    /// </summary>
    public string[] TrustedProxies { get; set; } = [];

    /// <summary>Longest time a request's head may take to arrive.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:02:00")]
    public TimeSpan RequestHeadTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Longest time that requests and loops in flight have to finish once the process is told to end; what is not done
    /// by then is cut off. Below what the orchestrator waits before it kills.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:02:00")]
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(8);

    /// <summary>What <see cref="ConnectionCountMax"/> comes to in this process.</summary>
    internal int ConnectionCount => ConnectionCountMax > 0
        ? ConnectionCountMax
        : Math.Min(ConnectionCountDefault, OpenFiles.ConnectionCountMax(OpenFiles.Max ?? int.MaxValue));

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!IPAddress.TryParse(Address, out _))
            yield return new("Http__Address must be an IP address, such as 127.0.0.1 or 0.0.0.0");
        foreach (var proxy in TrustedProxies)
        {
            if (!IPNetwork.TryParse(proxy, out _))
                yield return new("Http__TrustedProxies must be networks, such as 10.0.0.0/8 or 2001:db8::/32");
        }

        var connectionCountMax = OpenFiles.ConnectionCountMax(OpenFiles.Max ?? int.MaxValue);
        if (ConnectionCountMax > connectionCountMax || connectionCountMax < ConnectionCountMin)
        {
            yield return new(
                $"Http__ConnectionCountMax: this process may have {OpenFiles.Max} files open, which leaves "
                + $"{connectionCountMax} connections; set no more, {ConnectionCountMin} at least, or raise the limit "
                + "of open files (ulimit -n)");
        }

        var fixedPorts = new[] { PublicPort, InternalPort, ManagementPort }.Where(port => port != 0).ToArray();
        if (fixedPorts.Distinct().Count() != fixedPorts.Length)
            yield return new("Http__PublicPort, Http__InternalPort and Http__ManagementPort must differ");
    }
}
