namespace EndToEndTests;

/// <summary>Ids that are not there, in every path that has one.</summary>
public sealed class HostileIdTests(Site site)
{
    private static readonly string[] Odd =
    [
        "999999999", "abc", "0", "-1", "+1", "01", "1.0", "1e0", "0x1", "1000000000000000000000000000000",
        "2147483648", "4294967297", "18446744073709551617", "1%20", "%201", "%FF", "%C0%AE", "%ED%A0%80", "%E0%80%AF",
        "%25", "%2F", "..%2F1", "%5C", "'", "1'--", "%22", "%0D%0AX-Evil:1", "%EF%BC%91", "\u0661", "null", "undefined",
        "NaN", "{id}",
        "AAAAAAAAAAAAAAAAAAAAAA", "!!!!!!!!!!!!!!!!!!!!!!", "AAAAAAAAAAAAAAAAAAAAA=", "_____________________w",
        "______________________",
        "AAAAAAAAAAAAAAAAAAAAAB", "%20%20%20%20%20%20%20%20%20%20%20%20%20%20%20%20%20%20%20%20%20%20", ";", "1;x=1",
        "1,2", "*", "~", "$",
    ];

    public static TheoryData<string> WithIds =>
        [.. Endpoints.All.Where(endpoint => endpoint.HasId).Select(endpoint => $"{endpoint}")];

    [Theory, MemberData(nameof(WithIds))]
    public async Task An_id_that_is_not_there_or_cannot_be_is_not_found(string name)
    {
        var endpoint = Endpoints.Find(name);
        var voter = await site.VoterAsync();
        var survey = await site.OpenSurveyAsync();
        var (door, token) = endpoint.Caller is Caller.Voter or Caller.Anybody
            ? (site.Public, voter.AccessToken) : (site.Internal, site.Manager);
        string[] ids = [.. Odd, new string('9', 2000), new string('a', 2000)];
        foreach (var id in ids.Select(EscapedWhereNeeded))
        {
            await AssertNotFoundAsync(endpoint, endpoint.Fill(id));
            // The last id only, in a survey that is there.
            if (endpoint.Path.Split("{}").Length > 2)
            {
                var place = endpoint.Path.IndexOf("{}", StringComparison.Ordinal);
                var inSurvey = endpoint.Path[..place] + survey.Id + endpoint.Path[(place + 2)..];
                await AssertNotFoundAsync(endpoint, inSurvey.Replace("{}", id, StringComparison.Ordinal));
            }
        }

        async Task AssertNotFoundAsync(Endpoint target, string path)
        {
            using var body = target.TakesBody ? Door.Json(target.Caller is Caller.Manager
                ? Samples.Elections : Body(target, survey)) : null;
            var answer = await door.SendAsync(target.Method, path, token, body);
            Assert.True(answer.Status == 404, $"{target.Method} {path} answered {answer.Status}: {answer.Text}");
            answer.IsProblem("not-found");
            Assert.False(answer.Headers.ContainsKey("x-evil"));
        }
    }

    private static string Body(Endpoint endpoint, SampleSurvey survey) =>
        endpoint.Path.EndsWith("/votes", StringComparison.Ordinal)
        ? survey.Ballot(0) : $$"""{"question":"{{survey.Question(0)}}","option":"{{survey.Option(0, 0)}}"}""";

    // Only what HTTP itself forbids is escaped.
    private static string EscapedWhereNeeded(string id) =>
        string.Concat(id.Select(character =>
            character is > ' ' and < '\u007f' ? $"{character}" : Uri.EscapeDataString($"{character}")));
}
