using System.ComponentModel.DataAnnotations;
using System.Net;

namespace Platform;

/// <summary>Where the process listens and for whom. Section <c>Http</c>.</summary>
public sealed class HttpOptions : IValidatableObject
{
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

    /// <summary>Most connections at once on each listener; further ones are closed at once.</summary>
    [Range(10, 1_000_000)]
    public int ConnectionCountMax { get; set; } = 100_000;

    /// <summary>
    /// Most requests under way at once on the public listener, streams of results apart; further ones are answered 503
    /// at once. Each may take some 20 KB.
    /// </summary>
    [Range(10, 1_000_000)]
    public int RequestCountMax { get; set; } = 5_000;

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

        var fixedPorts = new[] { PublicPort, InternalPort, ManagementPort }.Where(port => port != 0).ToArray();
        if (fixedPorts.Distinct().Count() != fixedPorts.Length)
            yield return new("Http__PublicPort, Http__InternalPort and Http__ManagementPort must differ");
    }
}
