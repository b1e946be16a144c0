using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>Limits what one address sends to the public listener; before anything is spent on the request.</summary>
internal sealed class AddressLimit(RequestDelegate next, IOptions<LimitOptions> options, TimeProvider clock)
{
    private readonly RateLimit<IPAddress> _limit =
        new(options.Value.AddressPerSecond, options.Value.AddressBurst, clock);

    public Task InvokeAsync(HttpContext context) =>
        context.Features.Get<ListenerFeature>() is not { Listener: Listener.Public }
        || context.Connection.RemoteIpAddress is not { } address
            ? next(context)
            : RateLimits.PassAsync(context, "address", _limit.Policy, _limit.Take(address), next);
}

/// <summary>Limits what one voter asks for, wherever the requests come from; after the token was checked.</summary>
internal sealed class VoterLimit(RequestDelegate next, IOptions<LimitOptions> options, TimeProvider clock)
{
    private readonly RateLimit<UInt128> _limit = new(options.Value.VoterPerSecond, options.Value.VoterBurst, clock);

    public Task InvokeAsync(HttpContext context) => context.Features.Get<VoterCaller>() is not { } voter
        ? next(context)
        : RateLimits.PassAsync(
            context, "voter", _limit.Policy, _limit.Take(BinaryPrimitives.ReadUInt128BigEndian(voter.VoterId)), next);
}

internal static class RateLimits
{
    /// <summary>Lets the request pass, or answers it with 429 and when to come again.</summary>
    public static Task PassAsync(
        HttpContext context, string name, (int Quota, int WindowSeconds) policy, LimitDecision decision,
        RequestDelegate next)
    {
        // Only who is near a limit needs to be told of it; for all others the headers would be work for nothing.
        if (decision.Allowed && decision.Remaining > policy.Quota / 2) return next(context);

        var seconds = Math.Max(1, (int)Math.Ceiling(decision.ResetAfter.TotalSeconds));
        var headers = context.Response.Headers;
        headers["RateLimit-Policy"] = string.Create(
            CultureInfo.InvariantCulture, $"\"{name}\";q={policy.Quota};w={policy.WindowSeconds}");
        headers["RateLimit"] = string.Create(
            CultureInfo.InvariantCulture, $"\"{name}\";r={decision.Remaining};t={seconds}");
        if (decision.Allowed) return next(context);

        headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return Problem.QuotaExceeded.WriteAsync(context, $"Too many requests of this {name}; wait {seconds} s.");
    }
}
