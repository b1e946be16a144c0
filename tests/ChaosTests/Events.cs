using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ChaosTests;

/// <summary>What a record of <c>votes</c> says, read by the tests themselves from CloudEvents JSON.</summary>
internal sealed record VoteEvent(
    LoggedRecord Record, string Type, int Survey, string VoteId, string VoterKey, IReadOnlyList<int> Options)
{
    /// <summary>Where it was submitted: its own offset, or that of the record which it replays.</summary>
    public long Place { get; private init; } = Record.Offset;

    /// <summary>The bytes that were submitted.</summary>
    public byte[] Submitted { get; private init; } = Record.Value;

    public bool IsReplay => Place != Record.Offset;

    /// <returns>Null for bytes that are no event of a vote or fence.</returns>
    public static VoteEvent? Read(LoggedRecord record)
    {
        try
        {
            using var json = JsonDocument.Parse(record.Value);
            var data = json.RootElement.GetProperty("data");
            var type = json.RootElement.GetProperty("type").GetString()!;
            if (type == "vote.replayed")
            {
                var original = data.GetProperty("event").GetBytesFromBase64();
                return Read(record with { Value = original }) is { } vote
                    ? vote with { Record = record, Place = data.GetProperty("offset").GetInt64(), Submitted = original }
                    : null;
            }

            var survey = int.Parse(data.GetProperty("survey").GetString()!);
            return type switch
            {
                "survey.closed" => new(record, type, survey, "", "", []),
                "vote.submitted" => new(record, type, survey, json.RootElement.GetProperty("id").GetString()!,
                    data.GetProperty("voterKey").GetString()!,
                    [.. data.GetProperty("answers").EnumerateArray()
                        .SelectMany(answer => answer.GetProperty("options").EnumerateArray())
                        .Select(option => int.Parse(option.GetString()!))]),
                _ => null,
            };
        }
        catch (Exception e) when (
            e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}

/// <summary>The MAC of events, as its description says: 16 bytes of HMAC-SHA-256 over all bytes before it.</summary>
internal static class Mac
{
    public static byte[] Seal(byte[] key, string json)
    {
        var head = Encoding.UTF8.GetBytes(json[..^1]);
        var mac = Base64Url.EncodeToString(HMACSHA256.HashData(key, head).AsSpan(0, 16));
        return [.. head, .. Encoding.UTF8.GetBytes($",\"mac\":\"{mac}\"}}")];
    }
}
