namespace Backoffice;

/// <summary>Who is staff. Section <c>Backoffice</c>.</summary>
internal sealed class BackofficeOptions
{
    /// <summary>
    /// Whether staff sign in with accounts of their own. As long as not, whoever can run the binary with the
    /// installation's settings can have a staff token: for a workstation only. Once they do, such tokens open nothing,
    /// those given out before included.
    /// </summary>
    public bool RequireAccounts { get; set; } = true;
}
