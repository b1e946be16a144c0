using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Platform;

/// <summary>Limits what one address sends to the public listener; before anything is spent on the request.</summary>
internal sealed class AddressLimit(
    RequestDelegate next, IOptions<LimitOptions> options, SharedLimits shared, TimeProvider clock)
{
    private readonly RateLimit _limit =
        new("address", options.Value.AddressPerSecond, options.Value.AddressBurst, clock);

    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<ListenerFeature>() is not { Listener: Listener.Public }
            || context.Connection.RemoteIpAddress is not { } address)
        {
            return next(context);
        }

        var caller = CallerOf(address);
        var decision = _limit.Take(caller, shared.IsThere);
        return decision.Untold == 0
            ? RateLimits.PassAsync(context, _limit, decision, next) : ShareAsync(context, caller, decision);
    }

    private async Task ShareAsync(HttpContext context, UInt128 caller, LimitDecision decision) =>
        await RateLimits.PassAsync(context, _limit, await shared.TellAsync(_limit, caller, decision), next);

    /// <returns>Of IPv6 the network of 64 bits, which a single subscriber has whole.</returns>
    internal static UInt128 CallerOf(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        Span<byte> bytes = stackalloc byte[16];
        if (address.AddressFamily is AddressFamily.InterNetwork) address.TryWriteBytes(bytes[12..], out _);
        else if (address.TryWriteBytes(bytes, out _)) bytes[8..].Clear();
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }
}

/// <summary>
/// Limits what one voter asks for, wherever the requests come from, and what one device does, for whomever; after the
/// token was checked. A session that is bound to no device counts as a device of its own.
/// </summary>
internal sealed class VoterLimit(
    RequestDelegate next, IOptions<LimitOptions> options, SharedLimits shared, TimeProvider clock)
{
    private readonly RateLimit _voters = new("voter", options.Value.VoterPerSecond, options.Value.VoterBurst, clock);

    private readonly RateLimit _devices =
        new("device", options.Value.DevicePerSecond, options.Value.DeviceBurst, clock);

    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<VoterCaller>() is not { } caller) return next(context);

        var voter = BinaryPrimitives.ReadUInt128BigEndian(caller.VoterId);
        var ofVoter = _voters.Take(voter, shared.IsThere);
        if (!ofVoter.Allowed) return RateLimits.PassAsync(context, _voters, ofVoter, next);
        var device = DeviceOf(caller);
        var ofDevice = _devices.Take(device, shared.IsThere);
        return ofVoter.Untold == 0 && ofDevice.Untold == 0
            ? PassAsync(context, ofVoter, ofDevice) : ShareAsync(context, voter, ofVoter, device, ofDevice);
    }

    private async Task ShareAsync(
        HttpContext context, UInt128 voter, LimitDecision ofVoter, UInt128 device, LimitDecision ofDevice)
    {
        // Both on their way before either is waited for: one round trip.
        var tellings = await Task.WhenAll(
            shared.TellAsync(_voters, voter, ofVoter).AsTask(), shared.TellAsync(_devices, device, ofDevice).AsTask());
        await PassAsync(context, tellings[0], tellings[1]);
    }

    // Headers have room for one of the two: the one that is nearer to its end.
    private Task PassAsync(HttpContext context, LimitDecision ofVoter, LimitDecision ofDevice) =>
        !ofVoter.Allowed || (ofDevice.Allowed
            && (long)ofVoter.Remaining * _devices.Policy.Quota <= (long)ofDevice.Remaining * _voters.Policy.Quota)
            ? RateLimits.PassAsync(context, _voters, ofVoter, next)
            : RateLimits.PassAsync(context, _devices, ofDevice, next);

    private static UInt128 DeviceOf(VoterCaller caller)
    {
        if (caller.Device is not { } device) return BinaryPrimitives.ReadUInt128BigEndian(caller.SessionId);
        // Whoever reads the limits' keys should learn no device's name.
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(Encoding.UTF8.GetBytes(device), digest);
        return BinaryPrimitives.ReadUInt128BigEndian(digest);
    }
}

internal static class RateLimits
{
    /// <summary>Lets the request pass, or answers it with 429 and when to come again.</summary>
    public static Task PassAsync(HttpContext context, RateLimit limit, LimitDecision decision, RequestDelegate next)
    {
        // Only who is near a limit needs to be told of it; for all others the headers would be work for nothing.
        var policy = limit.Policy;
        if (decision.Allowed && decision.Remaining > policy.Quota / 2) return next(context);

        var seconds = Math.Max(1, (int)Math.Ceiling(decision.ResetAfter.TotalSeconds));
        var headers = context.Response.Headers;
        headers["RateLimit-Policy"] = string.Create(
            CultureInfo.InvariantCulture, $"\"{limit.Name}\";q={policy.Quota};w={policy.WindowSeconds}");
        headers["RateLimit"] = string.Create(
            CultureInfo.InvariantCulture, $"\"{limit.Name}\";r={decision.Remaining};t={seconds}");
        if (decision.Allowed) return next(context);

        headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return Problem.QuotaExceeded.WriteAsync(context, $"Too many requests of this {limit.Name}; wait {seconds} s.");
    }
}
