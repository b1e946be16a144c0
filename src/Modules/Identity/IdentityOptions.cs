using System.ComponentModel.DataAnnotations;

namespace Identity;

/// <summary>How voters sign in. Section <c>Identity</c>.</summary>
internal sealed class IdentityOptions : IValidatableObject
{
    /// <summary><c>aud</c> of the ID tokens that the platform signs: the voter app's client id.</summary>
    [Required, StringLength(128)]
    public string ClientId { get; set; } = "voting-app";

    /// <summary>How long a session lives at most; then the voter signs in anew.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "365.00:00:00")]
    public TimeSpan SessionLifetime { get; set; } = TimeSpan.FromDays(90);

    /// <summary>How long a session lives without a refresh.</summary>
    [Range(typeof(TimeSpan), "00:30:00", "365.00:00:00")]
    public TimeSpan SessionIdle { get; set; } = TimeSpan.FromDays(30);

    /// <summary>
    /// How long after a refresh the token that it replaced still gets the same answer: for clients that the answer
    /// did not reach. Later it is taken for stolen.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan RefreshRetry { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long after a sign-in its ID token still gets the same session for the device that it was opened for: for
    /// clients that the answer did not reach.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00")]
    public TimeSpan SignInRetry { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Who vouches for voters.</summary>
    public ProviderSet Providers { get; set; } = new();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, provider) in Providers.All())
        {
            foreach (var (key, address) in provider.Addresses())
            {
                if (address.Length > 0 && !IsProtected(address))
                {
                    yield return new(
                        $"Identity__Providers__{name}__{key} must be an https address, or http on this machine",
                        [$"{nameof(Providers)}.{name}.{key}"]);
                }
            }
        }
    }

    private static bool IsProtected(string address) => Uri.TryCreate(address, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback));
}

/// <summary>The providers there are. One without a client id is off.</summary>
internal sealed class ProviderSet
{
    public ProviderOptions Google { get; set; } = new();

    public ProviderOptions Apple { get; set; } = new();

    public ProviderOptions Facebook { get; set; } = new();

    public IEnumerable<(string Name, ProviderOptions Options)> All() =>
        [(nameof(Google), Google), (nameof(Apple), Apple), (nameof(Facebook), Facebook)];
}

/// <summary>One provider. What is left empty is as the provider itself has it.</summary>
internal sealed class ProviderOptions
{
    /// <summary>The base address of its discovery document.</summary>
    public string Authority { get; set; } = "";

    /// <summary>The address of its keys; empty means that discovery says it.</summary>
    public string JwksAddress { get; set; } = "";

    /// <summary>Values of <c>iss</c> that are taken; none: the provider's own, or the authority if set.</summary>
    public string[] Issuers { get; set; } = [];

    /// <summary>Our client ids there: values of <c>aud</c> and <c>azp</c> that are taken. None: it is off.</summary>
    public string[] ClientIds { get; set; } = [];

    public IEnumerable<(string Key, string Address)> Addresses() =>
        [(nameof(Authority), Authority), (nameof(JwksAddress), JwksAddress)];
}
