using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace Sandbox;

/// <summary><c>POST /sandbox/voters?count=N</c>: as many signed-in voters as a load or contract test needs.</summary>
internal static partial class NewVotersEndpoint
{
    private const int CountMax = 10_000;
    private const int AgeMax = 130;

    public static void MapNewVoters(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapPost("/sandbox/voters", StreamAsync);

    /// <summary>
    /// One JSON object a line, each as soon as its voter is signed in; a failure is the last line. <c>verified</c>,
    /// <c>country</c> and <c>age</c> say who the voters are where the platform checks that; <c>host</c> names another
    /// local platform than the one that the sandbox was started for.
    /// </summary>
    private static async Task StreamAsync(
        HttpContext context, NewVoters voters, CommandLine commandLine, ILogger<NewVoters> logger)
    {
        var cancel = context.RequestAborted;
        if (Refuse(context.Request.Query) is { } refusal)
        {
            await TypedResults.Problem(refusal, statusCode: 400).ExecuteAsync(context);
            return;
        }

        var count = int.Parse(context.Request.Query["count"].ToString(), CultureInfo.InvariantCulture);
        var platform = Address.IsLocal(context.Request.Query["host"].ToString(), out var named)
            ? named
            : commandLine.Platform;
        context.Response.ContentType = "application/x-ndjson";
        var body = context.Response.BodyWriter;
        try
        {
            await foreach (var voter in voters.SignInAsync(count, platform, cancel))
            {
                body.Write(JsonSerializer.SerializeToUtf8Bytes(voter, Json.Default.Voter));
                body.Write("\n"u8);
                await body.FlushAsync(cancel);
            }
        }
        catch (SignInFailedException e)
        {
            SignInFailed(logger, e.Status, e.Message);
            if (!context.Response.HasStarted) context.Response.StatusCode = StatusCodes.Status502BadGateway;
            var failure = new Failure(new(e.Status, e.Message));
            body.Write(JsonSerializer.SerializeToUtf8Bytes(failure, Json.Default.Failure));
            body.Write("\n"u8);
            await body.FlushAsync(cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Nobody is left to read the rest.
        }
    }

    /// <summary>Why the request cannot be followed; null when it can.</summary>
    private static string? Refuse(IQueryCollection query)
    {
        if (!query.ContainsKey("count")) return $"count is missing: 1 to {CountMax}.";
        foreach (var (name, values) in query)
        {
            var value = values.Count == 1 ? values[0] : null;
            var refusal = name switch
            {
                "count" when !IsNumber(value, 1, CountMax) => $"count is a number from 1 to {CountMax}.",
                "verified" when value is not ("true" or "false") => "verified is true or false.",
                "country" when value is not [>= 'A' and <= 'Z', >= 'A' and <= 'Z'] => "country is two capital letters.",
                "age" when !IsNumber(value, 0, AgeMax) => $"age is a number from 0 to {AgeMax}.",
                "host" when !Address.IsLocal(value ?? "", out _) => "host is an http address of this machine.",
                "count" or "verified" or "country" or "age" or "host" => null,
                _ => $"There is no parameter {name}; there are count, verified, country, age and host.",
            };
            if (refusal is not null) return refusal;
        }

        return null;
    }

    private static bool IsNumber(string? value, int min, int max) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && number >= min && number <= max;

    [LoggerMessage(LogLevel.Error, "A voter could not be signed in (status {Status}): {Detail}")]
    private static partial void SignInFailed(ILogger logger, int? status, string detail);
}
