using Microsoft.AspNetCore.Http;

namespace Platform;

/// <summary>The voter whose access token came with the request: signed by us, nothing was looked up.</summary>
public sealed class VoterCaller
{
    /// <summary>16 bytes, the first two of which are the bucket.</summary>
    public required byte[] VoterId { get; init; }

    /// <summary>16 bytes, the first two of which are the voter's bucket.</summary>
    public required byte[] SessionId { get; init; }

    /// <summary>16 bytes: in whose name a ballot is cast. For the platform's eyes only.</summary>
    public required byte[] BallotSubject { get; init; }

    /// <summary>Whether an identity check has shown who the voter is.</summary>
    public required bool Verified { get; init; }

    /// <summary>From 0 (nothing speaks against the voter) to 100.</summary>
    public required int Risk { get; init; }

    /// <summary>The device that the session is bound to, or null.</summary>
    public required string? Device { get; init; }

    /// <summary>When the token was issued.</summary>
    public required DateTimeOffset IssuedAt { get; init; }

    /// <summary>When the token stops being taken.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>The member of staff whose token came with the request.</summary>
/// <param name="Subject">Names the account, or how else the token came to be.</param>
/// <param name="Role">One of <see cref="StaffRole"/>.</param>
public sealed record StaffCaller(string Subject, string Role);

/// <summary>Who calls.</summary>
public static class Callers
{
    /// <returns>The voter; the endpoint requires <see cref="Access.Voter"/>.</returns>
    public static VoterCaller Voter(this HttpContext context) => Required<VoterCaller>(context);

    /// <returns>The member of staff; the endpoint requires <see cref="Access.Staff"/>.</returns>
    public static StaffCaller Staff(this HttpContext context) => Required<StaffCaller>(context);

    private static T Required<T>(HttpContext context)
        where T : class => context.Features.Get<T>()
        ?? throw new InvalidOperationException($"The endpoint does not require a {typeof(T).Name}.");
}
