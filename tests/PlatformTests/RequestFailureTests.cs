using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Platform;

namespace PlatformTests;

public sealed class RequestFailureTests
{
    [Theory]
    [InlineData("22021")]
    [InlineData("22P05")]
    [InlineData("23505")]
    [InlineData("23514")]
    [InlineData("42P01")]
    [InlineData("42501")]
    public async Task What_the_database_refuses_for_our_fault_is_never_sent_again(string state)
    {
        foreach (var method in new[] { "GET", "POST" })
        {
            var (status, code, levels) = await AnswerAsync(method, Refusal(state));

            Assert.Equal((500, "internal-error"), (status, code));
            Assert.Equal([LogLevel.Error], levels);
        }
    }

    [Theory]
    [InlineData("08006")]
    [InlineData("40001")]
    [InlineData("53300")]
    [InlineData("57P01")]
    public async Task What_the_database_cannot_do_now_may_be_sent_again(string state)
    {
        foreach (var (method, said) in new[] { ("GET", "overloaded"), ("POST", "outcome-unknown") })
        {
            var (status, code, levels) = await AnswerAsync(method, Refusal(state));

            Assert.Equal((503, said), (status, code));
            Assert.Equal([LogLevel.Warning], levels);
        }
    }

    private static PostgresException Refusal(string state) => new("It will not.", "ERROR", "ERROR", state);

    private static async Task<(int Status, string Code, LogLevel[] Levels)> AnswerAsync(
        string method, Exception failure)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddProblemDetails(options => options.CustomizeProblemDetails = Problem.Complete);
        await using var provider = services.BuildServiceProvider();
        using var body = new MemoryStream();
        var context = new DefaultHttpContext { RequestServices = provider };
        (context.Request.Method, context.Request.Path, context.Response.Body) = (method, "/there", body);
        var log = new LevelLog();

        await new RequestFailures(_ => throw failure, log).InvokeAsync(context);

        var type = JsonDocument.Parse(body.ToArray()).RootElement.GetProperty("type").GetString()!;
        return (context.Response.StatusCode, type[Problem.BaseUri.Length..], [.. log.Levels]);
    }

    private sealed class LevelLog : ILogger<RequestFailures>
    {
        public List<LogLevel> Levels { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => Levels.Add(logLevel);
    }
}
