using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Platform;
using Voting;
using Voting.Contracts;

namespace Bench;

/// <summary>Records of <c>votes</c> as api processes write them, of voters who never were.</summary>
internal sealed class MadeVotes
{
    public const int Partitions = 16;

    private const int ReceiptSizeBytes = 64 + 22;

    private static readonly DateTimeOffset AcceptedAt = new(2030, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly Survey[] _surveys;
    private readonly Dictionary<int, Survey> _byId;
    private readonly EventMac _mac;

    /// <param name="surveys">Those that are open; votes go to all of them in turn.</param>
    /// <param name="macKey">32 bytes: what the counter believes.</param>
    public MadeVotes(IEnumerable<Survey> surveys, byte[] macKey)
    {
        _mac = new([macKey]);
        _surveys = [.. surveys];
        _byId = _surveys.ToDictionary(survey => survey.Id);
    }

    public EventMac Mac => _mac;

    /// <returns>The survey, or null.</returns>
    public Survey? Find(int id) => _byId.GetValueOrDefault(id);

    /// <returns>Consecutive records of one partition, from <paramref name="offset"/> on.</returns>
    public List<StoredRecord> Make(int partition, int count, long offset)
    {
        var records = new List<StoredRecord>(count);
        var random = RandomNumberGenerator.GetBytes(count * 48);
        var receipt = RandomNumberGenerator.GetBytes(ReceiptSizeBytes);
        for (var i = 0; i < count; i++)
        {
            var bytes = random.AsSpan(i * 48, 48);
            bytes[16] = (byte)(partition >> 8);
            bytes[17] = (byte)partition;
            var voter = Key16.Of(bytes);
            var survey = _surveys[i % _surveys.Length].Description;
            var chosen = bytes[0];
            var vote = new VoteSubmitted(
                survey.Id, voter, Key16.Of(bytes[16..]), Key16.Of(bytes[32..]), AcceptedAt,
                [
                    new(survey.Questions[0].Id, [Option(survey, 0, chosen)], null),
                    new(survey.Questions[1].Id,
                        [.. new[] { Option(survey, 1, chosen), Option(survey, 1, chosen + 2) }.Order()], null),
                ]);
            records.Add(new(
                offset + i, voter.ToBytes(), vote.ToBytes(_mac), [new(VoteSubmitted.ReceiptHeader, receipt)]));
        }

        return records;
    }

    /// <returns>The way to the shards of a database.</returns>
    public static VotingDatabase Database(string connectionString)
    {
        var database = Options.Create(new DatabaseOptions { ConnectionString = connectionString });
        var map = new ShardMap(
            Options.Create(new ShardOptions()), database,
            Options.Create(new LogOptions { VotePartitions = Partitions }));
        return new(map, database);
    }

    private static int Option(PublicSurvey survey, int question, int chosen) =>
        survey.Questions[question].Options[chosen % survey.Questions[question].Options.Count].Id;

    /// <returns>Surveys that are in memory alone, with the ids from 1 on.</returns>
    public static IEnumerable<Survey> Surveys(int count) => Enumerable.Range(1, count).Select(id => Survey(
        id, [Question(id * 2, Enumerable.Range(id * 20, 4)), Question(id * 2 + 1, Enumerable.Range(id * 20 + 10, 5))]));

    /// <returns>A survey that is published.</returns>
    public static Survey Of(BallotPaper paper) =>
        Survey(paper.Id, [.. paper.Questions.Select(question => Question(question.Id, question.Options))]);

    private static Survey Survey(int id, PublicQuestion[] questions) => new(
        new(id, "Made for the benchmark", SurveyStatus.Published, AcceptedAt, null, ResultsVisibility.Live, 1,
            questions, null, 1),
        new(false, [], null, null), null, null, new MacKey(new byte[32]));

    private static PublicQuestion Question(int id, IEnumerable<int> options) => new(
        id, "Which?", 1, 3, id, false, [.. options.Select((option, i) => new PublicOption(option, "This", null, i))]);
}
