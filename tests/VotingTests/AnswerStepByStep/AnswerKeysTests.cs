using System.Text;

namespace VotingTests;

[Collection(nameof(AnsweringStepByStep))]
public sealed class AnswerKeysTests(AnswerSite site)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_remembered_success_is_said_again_whatever_has_become_of_the_answer()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var first = await voter.AnswerAsync(poll, poll.Words, 0, "why", key: "\"once\"");
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        var body = await first.Content.ReadAsStringAsync(Cancel);
        var answer = Bodies.Parse(body);
        var session = (string)answer["surveyAnswer"]!["id"]!;

        await AssertRepeatedAsync();
        await voter.AnswerAsync(poll, poll.Words, 0, "changed", session);
        await AssertRepeatedAsync();
        await voter.TakeBackAsync(poll, session, (string)answer["questionAnswer"]!["id"]!);
        await AssertRepeatedAsync();
        await voter.AddAsync(poll, poll.One, 0, session: session);
        Assert.Equal(HttpStatusCode.OK, (await voter.FinishAsync(poll, session)).StatusCode);
        await AssertRepeatedAsync();

        async Task AssertRepeatedAsync()
        {
            for (var host = 0; host < 2; host++)
            {
                var again = await voter.AnswerAsync(poll, poll.Words, 0, "why", key: "once", host: host);
                Assert.Equal(HttpStatusCode.OK, again.StatusCode);
                Assert.Equal(body, await again.Content.ReadAsStringAsync(Cancel));
            }
        }
    }

    [Fact]
    public async Task A_key_that_came_with_another_body_is_refused()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var first = await (await voter.AnswerAsync(poll, poll.Words, 0, "a", key: "k")).JsonAsync();
        var session = (string)first["surveyAnswer"]!["id"]!;

        foreach (var other in new[]
        {
            voter.AnswerAsync(poll, poll.Words, 1, "a", key: "k"),
            voter.AnswerAsync(poll, poll.Words, 0, "b", key: "k"),
            voter.AnswerAsync(poll, poll.Words, 0, key: "k"), voter.AnswerAsync(poll, poll.Words, text: "a", key: "k"),
            voter.AnswerAsync(poll, poll.Words, 0, "a", session, "k"), voter.AnswerAsync(poll, poll.One, 0, key: "k"),
        })
        {
            await (await other).ProblemAsync(422, "idempotency-key-reused");
        }
    }

    [Fact]
    public async Task Only_successes_are_remembered()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());
        var first = await voter.AddAsync(poll, poll.One, 0);
        var session = (string)first["surveyAnswer"]!["id"]!;
        await (await voter.AnswerAsync(poll, poll.One, 1, session: session, key: "k"))
            .ProblemAsync(422, "invalid-ballot");
        await voter.TakeBackAsync(poll, session, (string)first["questionAnswer"]!["id"]!);

        var added = await voter.AnswerAsync(poll, poll.One, 1, session: session, key: "k");
        Assert.Equal(HttpStatusCode.Created, added.StatusCode);
    }

    [Fact]
    public async Task Concurrent_requests_with_one_key_are_one_answer()
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(i => voter.AnswerAsync(poll, poll.One, 3, key: "k", host: i)));

        Assert.Equal(1, answers.Count(answer => answer.StatusCode is HttpStatusCode.Created));
        Assert.Equal(15, answers.Count(answer => answer.StatusCode is HttpStatusCode.OK));
        var bodies = await Task.WhenAll(answers.Select(answer => answer.Content.ReadAsStringAsync(Cancel)));
        Assert.Single(bodies.Distinct());
    }

    [Theory]
    [InlineData("")]
    [InlineData("\"\"")]
    [InlineData("two words")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345")]
    public async Task A_key_that_is_none_is_malformed(string key)
    {
        var (poll, voter) = (await site.PublishAsync(), await site.VoterAsync());

        await (await voter.AnswerAsync(poll, poll.One, 0, key: key)).ProblemAsync(400, "malformed-request");
    }

    [Fact]
    public async Task A_session_remembers_its_newest_500_keys()
    {
        // A survey that no other test of this site has: its keys would be counted here.
        var place = "ARRAY[2147483646], ARRAY['\\x0123456789abcdef0123456789abcdef'::bytea]";
        var choose = new StringBuilder("DO $$ BEGIN FOR i IN 1 .. 503 LOOP PERFORM voting_00.choose(1, now(), ")
            .Append(place).Append(", ARRAY[true], ARRAY[true], ARRAY[1], ARRAY[1], ARRAY[1], ARRAY[NULL::text], ")
            .Append("ARRAY[decode(lpad(to_hex(i), 32, '0'), 'hex')], ARRAY[decode(repeat('00', 16), 'hex')]); ")
            .Append("END LOOP; END $$").ToString();
        await using var run = site.Installation.Database.Source.CreateCommand(choose);
        await run.ExecuteNonQueryAsync(Cancel);

        await using var query = site.Installation.Database.Source.CreateCommand("""
            SELECT count(*) || ' ' || min(place) || ' ' || max(place) || ' ' || count(DISTINCT answer)
            FROM voting_00.session_keys WHERE survey = 2147483646
            """);
        Assert.Equal("500 4 503 1", await query.ExecuteScalarAsync(Cancel));
    }

    [Fact]
    public async Task A_process_with_an_older_map_writes_nothing()
    {
        await using var query = site.Installation.Database.Source.CreateCommand("""
            -- A survey that no other test of this site has: its sessions would be counted here.
            WITH place AS (
                SELECT ARRAY[2147483647] AS survey, ARRAY['\x0123456789abcdef0123456789abcdef'::bytea] AS voter)
            SELECT (SELECT count(*) FROM place, voting_00.choose(2, now(), survey, voter, ARRAY[true], ARRAY[true],
                    ARRAY[1], ARRAY[1], ARRAY[1], ARRAY['x'], voter, voter))
                + (SELECT count(*) FROM place, voting_00.take_back(2, survey, voter, ARRAY[true], voter))
                + (SELECT count(*) FROM place, voting_00.freeze(2, survey, voter, ARRAY[0::bigint], ARRAY[now()], voter,
                    voter, voter))
                + (SELECT count(*) FROM voting_00.sessions WHERE survey = 2147483647)
            """);
        Assert.Equal(0L, await query.ExecuteScalarAsync(Cancel));
    }
}
