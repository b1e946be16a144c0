using System.Security.Cryptography;
using Testing;

namespace EndToEndTests;

public sealed class CommandLineTests(Site site)
{
    /// <summary>
    /// How it is called, what is set on top of what is right, and a word of the line that it answers.
    /// </summary>
    public static TheoryData<string, string, string> Misuses => new()
    {
        { "", "", "--role" },
        { "--role", "", "--role" },
        { "--role king", "", "king" },
        { "--role api,king", "", "king" },
        { "--role ,", "", "--role" },
        { "--role all extra", "", "extra" },
        { "--role all --nonsense", "", "--nonsense" },
        { "--role all --Http:PublicPrt=1", "", "Http__PublicPort" },
        { "--role all --Http__PublicPrt=1", "", "Http__PublicPort" },
        { "--role api", "Http__PublicPrt=1", "Http__PublicPort" },
        { "--role consumer", "Voting__Leese=00:01:00", "Voting__Lease" },
        { "--role all --config /nowhere/settings.json", "", "settings.json" },
        { "--role all --config UNKNOWN", "", "Http__PublicPort" },
        { "--role all --config BROKEN", "", "broken.json" },
        { "--role all --Http:PublicPort=70000", "", "PublicPort" },
        { "--role sse", "Voting__Lease=00:00:00.5", "Lease" },
        { "--role backoffice", "Voting__Lease=soon", "Lease" },
        { "--role all", "Http__InternalPort=8080", "Http__InternalPort" },
        { "--role all", "Http__Address=nowhere", "Http__Address" },
        { "--role all", "Log__VotePartitions=0", "VotePartitions" },
        { "--role all", "Log__Provider=paper", "Log__Provider" },
        { "--role all", "Tokens__Issuer=nowhere", "Tokens__Issuer" },
        { "--role all", "Database__ConnectionString=", "Database__ConnectionString" },
        { "--role all", "Database__ConnectionString=junk", "Database__ConnectionString" },
        { "--role all", "Keys__MasterKey=", "Keys__MasterKey" },
        { "--role all", "Keys__MasterKey=c2hvcnQ=", "Keys__MasterKey" },
        { "--role all", "Keys__MasterKey=not base64!", "Keys__MasterKey" },
        { "--role all", "Identity__Providers__Google__Authority=http://example.com",
            "Identity__Providers__Google__Authority" },
        { "--role all", "Log__Provider=kafka", "Log__Kafka__BootstrapServers" },
        { "--role all", "Log__Kafka__BootstrapServers=broker", "Log__Kafka__BootstrapServers" },
        { "--role sse", "Log__Kafka__Security__Password=Pa55word", "Log__Kafka__Security__User" },
        { "admin log", "", "Required command" },
        { "--role api", "", "Log__Provider" },
        { "--role api", "Log__Provider=postgres", "Voting__Reservations" },
        { "--role consumer", "", "Log__Provider" },
        { "migrate", "Http__PublicPrt=1", "Http__PublicPort" },
        { "migrate --role", "", "--role" },
        { "admin token", "", "--role" },
        { "admin token --role king", "Backoffice__RequireAccounts=false", "king" },
        { "admin token --role manager", "", "Backoffice__RequireAccounts" },
    };

    [Theory, MemberData(nameof(Misuses))]
    public async Task Whatever_is_wrong_with_the_call_is_one_line_and_exit_code_2(string arguments, string setting,
        string word)
    {
        var settings = Settings();
        if (setting.Length > 0) settings[setting[..setting.IndexOf('=')]] = setting[(setting.IndexOf('=') + 1)..];
        var directory = Directory.CreateTempSubdirectory("voting-settings-");
        var (unknown, broken) = (Path.Combine(directory.FullName, "unknown.json"),
            Path.Combine(directory.FullName, "broken.json"));
        await File.WriteAllTextAsync(unknown, """{"Http":{"PublicPrt":1}}""", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(broken, """{"Http":""", TestContext.Current.CancellationToken);

        var ended = await HostCommand.RunAsync(
            arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(argument => argument switch { "UNKNOWN" => unknown, "BROKEN" => broken, _ => argument }),
            settings);
        directory.Delete(recursive: true);

        Assert.True(ended.ExitCode == 2, $"{ended.ExitCode}: {ended.Output}{ended.Errors}");
        Assert.Equal("", ended.Output);
        Assert.Single(ended.Errors.TrimEnd('\n').Split('\n'));
        Assert.Contains(word, ended.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", ended.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("Pa55word", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_connections_than_it_may_open_files_is_one_line_and_exit_code_2()
    {
        var settings = Settings();
        settings["Http__ConnectionCountMax"] = "401";

        var ended = await HostCommand.RunAsync(["--role", "all"], settings, openFilesMax: 1_000);

        Assert.Equal((2, ""), (ended.ExitCode, ended.Output));
        Assert.Contains("Http__ConnectionCountMax: this process may have 1000 files open, which leaves 400 connections",
            Assert.Single(ended.Errors.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_master_key_opens_nothing_and_is_not_shown()
    {
        var settings = Settings();
        settings["Database__ConnectionString"] = site.Installation.Database.ConnectionString;
        settings["Keys__MasterKey"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

        var ended = await HostCommand.RunAsync(["--role", "all"], settings);

        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("Keys__MasterKey", Assert.Single(ended.Errors.TrimEnd('\n').Split('\n')),
            StringComparison.Ordinal);
        Assert.DoesNotContain(settings["Keys__MasterKey"], ended.Errors + ended.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_that_was_never_migrated_is_named_as_such()
    {
        await using var empty = await site.Postgres.NewDatabaseAsync(TestContext.Current.CancellationToken);
        var settings = Settings();
        settings["Database__ConnectionString"] = empty.ConnectionString;

        var ended = await HostCommand.RunAsync(["--role", "all"], settings);

        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("migrate", ended.Errors, StringComparison.Ordinal);
        Assert.Single(ended.Errors.TrimEnd('\n').Split('\n'));
    }

    [Theory]
    [InlineData("--role all")]
    [InlineData("migrate")]
    [InlineData("admin token --role auditor")]
    public async Task A_database_that_does_not_answer_is_one_line_and_exit_code_1(string arguments)
    {
        var settings = Settings();
        settings["Backoffice__RequireAccounts"] = "false";

        var ended = await HostCommand.RunAsync(arguments.Split(' '), settings);

        Assert.Equal((1, ""), (ended.ExitCode, ended.Output));
        Assert.Contains("127.0.0.1:1", Assert.Single(ended.Errors.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
        Assert.DoesNotContain("Pa55word", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Migrating_again_changes_nothing()
    {
        var keys = await site.ScalarAsync<long>("SELECT count(*) FROM platform.keys");

        var said = await site.Installation.RunAsync(["migrate"], TestContext.Current.CancellationToken);

        Assert.Contains("Applied 0 migrations", said, StringComparison.Ordinal);
        Assert.Equal(keys, await site.ScalarAsync<long>("SELECT count(*) FROM platform.keys"));
    }

    [Fact]
    public async Task A_staff_token_is_printed_alone()
    {
        var settings = new Dictionary<string, string>(Settings())
        {
            ["Database__ConnectionString"] = site.Installation.Database.ConnectionString,
            ["Backoffice__RequireAccounts"] = "false",
        };

        var ended = await HostCommand.RunAsync(["admin", "token", "--role", "auditor"], settings);

        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        var token = Assert.Single(ended.Output.TrimEnd('\n').Split('\n'));
        Assert.Equal("auditor", Jwt.Parse(token).Claim("role"));
    }

    private static Dictionary<string, string> Settings() => new()
    {
        ["Database__ConnectionString"] = "Host=127.0.0.1;Port=1;Database=voting;Username=voting;Password=Pa55word",
        ["Keys__MasterKey"] = Installation.MasterKey,
    };
}
