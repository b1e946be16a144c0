using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Platform;

namespace Voting;

/// <summary>Surveys, casting, counting. The module's one entry: only the host calls it.</summary>
public static class VotingModule
{
    private const string MacKeyPurpose = "vote-mac";

    /// <summary>Surveys in the control database; ballots in every shard.</summary>
    public static MigrationSet Migrations { get; } = new("voting", typeof(VotingModule).Assembly);

    /// <summary>Registers settings and services, and the loops of the roles.</summary>
    public static void AddVoting(this IHostApplicationBuilder host, Role roles)
    {
        var services = host.Services;
        var hasRedis = host.Configuration["Redis:ConnectionString"] is { Length: > 0 };
        services.AddSettings<VotingOptions>("Voting").Validate(
            options => roles is Role.All || !roles.HasFlag(Role.Api) || options.Reservations.Length > 0 || hasRedis,
            "Set Redis__ConnectionString, or Voting__Reservations to in-process: only role all runs on the embedded "
            + "default");
        services.AddSettings<CountVotesOptions>("Voting:CountVotes");
        var votePartitions = host.Configuration.GetValue("Log:VotePartitions", new LogOptions().VotePartitions);
        foreach (var topic in VotingTopics.All(votePartitions)) services.AddSingleton(topic);
        services.AddKeyPurpose(MacKeyPurpose, KeyAlgorithm.Secret32);
        services.AddKeyPurpose(Receipts.KeyPurpose, KeyAlgorithm.Es256, published: true);
        services.AddKeyPurpose(FinalResults.KeyPurpose, KeyAlgorithm.Es256, published: true);

        services.AddMeter(CountVotes.MeterName);
        services.TryAddSingleton<VotingDatabase>();
        services.AddOutbox<VotingDatabase>(OutboxPlaces.Control | OutboxPlaces.Shards);
        services.AddSingleton(provider => new EventMac(provider.GetRequiredService<KeyRing>().Secrets(MacKeyPurpose)));
        services.AddSingleton(Reservations);
        services.AddSingleton<IBallotStore, PostgresBallotStore>();
        services.AddSingleton<Receipts>();
        services.AddSingleton<IKnownVotes, KnownVotes>();
        services.AddSingleton<Fences>();
        services.AddSingleton<IFences>(provider => provider.GetRequiredService<Fences>());
        services.AddSingleton<ISurveyReadings>(provider => provider.GetRequiredService<SurveyDirectory>());
        services.AddSingleton<AcceptLease>();
        services.AddSingleton<SettledVotes>();
        services.AddSingleton<CastVote>();
        services.AddSingleton<Sessions>();
        services.AddSingleton<AnswerQuestion>();
        services.AddSingleton<FinishSession>();
        services.AddSingleton<ReadVote>();
        services.AddSingleton<ReadTalliesHandler>();
        services.AddSingleton<ReadRecordedVotesHandler>();
        services.AddSingleton<ReadPartitionTalliesHandler>();
        services.AddSingleton<ReadRecordedResultsHandler>();
        services.AddSingleton<FinalResults>();
        services.AddSingleton<ResolvePoison>();
        services.AddSingleton<ReplayPoison>();
        services.AddSingleton<RecountRows>();
        services.AddSingleton<RebuildResults>();
        host.AddSurveys(roles);
        services.AddReadiness("surveys", provider => provider.GetRequiredService<SurveyDirectory>().IsReady);
        if (roles.HasFlag(Role.Api)) services.AddHostedService<AnnounceLease>();
        if (roles.HasFlag(Role.Consumer))
        {
            services.AddHostedService<CountVotes>();
            services.AddHostedService<CloseSurveys>();
            services.AddHostedService<ReportLag>();
        }
    }

    private static IReservations Reservations(IServiceProvider services)
    {
        var options = services.GetRequiredService<IOptions<VotingOptions>>().Value;
        var redis = services.GetRequiredService<RedisLink>();
        var own = new InProcessReservations(
            options.ReservationCountMax, services.GetRequiredService<TimeProvider>());
        return redis.IsConfigured && options.Reservations.Length == 0
            ? new RedisReservations(own, new(redis, options.ReservationLifetime)) : own;
    }

    /// <summary>Maps the endpoints of the roles.</summary>
    public static void MapVoting(this IEndpointRouteBuilder endpoints, Role roles)
    {
        if (roles.HasFlag(Role.Api))
        {
            endpoints.MapPublicSurveys();
            endpoints.MapCastVote();
            endpoints.MapAnswerStepByStep();
            endpoints.MapReadVote();
        }

        if (roles.HasFlag(Role.Backoffice)) endpoints.MapInternalSurveys();
    }

    /// <summary>Lists the records that counting set aside because they cannot be decoded, one a line.</summary>
    public static async Task ListPoisonAsync(IServiceProvider services, TextWriter output, CancellationToken cancel)
    {
        foreach (var seen in await services.GetRequiredService<ResolvePoison>().ListAsync(cancel))
        {
            var state = seen.ResolvedAt is not { } at ? "unresolved"
                : seen.ReplayedAs is { } replay ? $"replayed as offset {replay} {at.UtcDateTime:O}"
                : $"dismissed {at.UtcDateTime:O}";
            await output.WriteLineAsync(
                $"partition {seen.Partition} offset {seen.Offset}: {seen.Reason}; {seen.SizeBytes} bytes; {state}");
        }
    }

    /// <summary>Settles that a record that was set aside is no vote, so that results no longer wait for it.</summary>
    /// <returns>False when there is no such record.</returns>
    public static Task<bool> DismissPoisonAsync(
        IServiceProvider services, int partition, long offset, CancellationToken cancel) =>
        services.GetRequiredService<ResolvePoison>().DismissAsync(partition, offset, cancel);

    /// <summary>
    /// Replays a record that was set aside and can be decoded by now: counting decides it as if it had been read at
    /// once. Repeating it changes nothing.
    /// </summary>
    /// <returns>Whether it is, or will be, settled by that; and one line that says what became of it.</returns>
    /// <exception cref="AppendFailedException">The log does not confirm it; it can be tried again.</exception>
    public static async Task<(bool IsDone, string Says)> ReplayPoisonAsync(
        IServiceProvider services, int partition, long offset, CancellationToken cancel)
    {
        var outcome = await services.GetRequiredService<ReplayPoison>().HandleAsync(partition, offset, cancel);
        return (outcome.IsDone, outcome.Says);
    }

    /// <summary>
    /// Recounts the shards' rows, corrects the tallies that differ, and says what came of each survey, one a line. Safe
    /// while ballots are cast and counted. Signed results are compared and never changed.
    /// </summary>
    /// <param name="services">Of a process whose log can append.</param>
    /// <param name="survey">Null means every survey that was ever published.</param>
    /// <param name="output">Takes the lines.</param>
    /// <param name="cancel">Ends it; it can be run again.</param>
    /// <returns>Null when there is no such survey; else whether every signed result is what the rows give.</returns>
    public static async Task<bool?> RebuildResultsAsync(
        IServiceProvider services, int? survey, TextWriter output, CancellationToken cancel)
    {
        var recounts = await services.GetRequiredService<RebuildResults>().HandleAsync(survey, cancel);
        foreach (var recount in recounts)
        {
            var end = recount.Signed is { } signed ? $"the signed result is another, of {signed} ballots"
                : recount.Corrected > 0 ? $"corrected in {recount.Corrected} partitions" : "same";
            await output.WriteLineAsync($"survey {recount.Survey}: {recount.Ballots} ballots; {end}");
        }

        return survey is not null && recounts.Count == 0 ? null : recounts.All(recount => recount.Signed is null);
    }
}
