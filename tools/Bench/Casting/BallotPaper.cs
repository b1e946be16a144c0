using System.Text;
using System.Text.Json.Nodes;

namespace Bench;

/// <summary>A published survey, and how a ballot in it travels.</summary>
/// <param name="Id">The survey's.</param>
/// <param name="Questions">Ids of the questions, each with the ids of its options.</param>
internal sealed record BallotPaper(int Id, IReadOnlyList<(int Id, int[] Options)> Questions)
{
    /// <summary>As staff write it: an ordinary ballot of two questions.</summary>
    public const string Survey = """
        {
          "title": "City council election",
          "questions": [
            {
              "title": "Who should be mayor?", "min": 1, "max": 1, "order": 0,
              "options": [
                { "text": "Ada Lovelace", "order": 0 }, { "text": "Grace Hopper", "order": 1 },
                { "text": "Alan Turing", "order": 2 }, { "text": "Edsger Dijkstra", "order": 3 }
              ]
            },
            {
              "title": "What should the city build first? Choose up to three.", "min": 1, "max": 3, "order": 1,
              "options": [
                { "text": "Bicycle lanes", "order": 0 }, { "text": "A library", "order": 1 },
                { "text": "A swimming pool", "order": 2 }, { "text": "Playgrounds", "order": 3 },
                { "text": "A tram line", "order": 4 }
              ]
            }
          ]
        }
        """;

    public static BallotPaper Of(JsonNode survey) => new(
        IdOf(survey),
        [.. survey["questions"]!.AsArray().Select(question =>
            (IdOf(question!), question!["options"]!.AsArray().Select(option => IdOf(option!)).ToArray()))]);

    /// <returns>The whole request of one voter's ballot, as it goes over the wire.</returns>
    /// <param name="voter">Decides what is chosen.</param>
    /// <param name="token">The voter's access token.</param>
    public byte[] Request(int voter, string token)
    {
        var body = Body(voter);
        return Encoding.ASCII.GetBytes(
            $"POST /v1/surveys/{Id}/votes HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            + $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
    }

    /// <returns>The ballot alone, in ASCII.</returns>
    public string Body(int voter)
    {
        var (mayor, build) = (Questions[0], Questions[1]);
        int[] chosen = [build.Options[voter % 5], build.Options[(voter + 2) % 5]];
        return $$"""{"answers":[{"question":"{{mayor.Id}}","options":["{{mayor.Options[voter % 4]}}"]},"""
            + $$"""{"question":"{{build.Id}}","options":["{{chosen[0]}}","{{chosen[1]}}"]}]}""";
    }

    private static int IdOf(JsonNode of) => int.Parse(of["id"]!.ToString());
}
