using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Audit;
using NSec.Cryptography;

namespace AuditTests;

/// <summary>What logs sign of their checkpoints: one spelling, one signature, nothing else is taken.</summary>
public sealed class CheckpointDocumentTests
{
    private const string Origin = "voting.localhost/votes-07";

    private static readonly NoteSigner Signer = Signers.Log(Origin);

    private static CheckpointStatement Statement => new()
    {
        Log = "votes-07",
        Number = 2,
        Entries = 30,
        LastHash = Digest.Of("last"u8),
        Offsets = new Dictionary<string, long> { ["votes-7"] = 120, ["vote-outcomes-7"] = 110 },
        Ranges = [new("votes-7", 100, 120), new("vote-outcomes-7", 100, 110)],
        Segment = new("votes/votes-07/checkpoint_0000000002/segment.ndjson.zst", "v/1+2=", Digest.Of("segment"u8)),
        Previous = Digest.Of("previous"u8),
        Time = new(2026, 5, 1, 12, 0, 0, 7, TimeSpan.Zero),
        Note = SignedCheckpoint.Sign(new(Origin, 230, Digest.Of("root"u8)), Signer),
    };

    [Fact]
    public void What_was_signed_is_read_and_verified()
    {
        var document = CheckpointDocument.Sign(Statement, Signer);

        Assert.True(CheckpointDocument.TryParse(document.Bytes, out var read));
        Assert.True(read.IsSignedBy([Signer.Verifier]));
        Assert.Equal(document.Digest, read.Digest);
        Assert.Equal(Statement.ToBytes(), read.Statement.ToBytes());
        Assert.Equal(Statement.Ranges, read.Statement.Ranges);
        Assert.Equal((230, Digest.Of("root"u8)), (read.Statement.Size, read.Statement.Root));
        Assert.Equal(Statement.Segment, read.Statement.Segment);
        Assert.Equal(Statement.Previous, read.Statement.Previous);
        Assert.Equal(Statement.Time, read.Statement.Time);
    }

    [Fact]
    public void It_is_a_flattened_jws_that_others_verify()
    {
        using var json = JsonDocument.Parse(CheckpointDocument.Sign(Statement, Signer).Bytes);
        var (header, payload) = (Member("protected"), Member("payload"));
        var key = PublicKey.Import(
            SignatureAlgorithm.Ed25519, Signer.Verifier.PublicKey, KeyBlobFormat.RawPublicKey);

        Assert.Equal(3, json.RootElement.EnumerateObject().Count());
        Assert.Equal(
            $$$"""
            {"alg":"EdDSA","kid":"{{{Origin}}}+{{{Signer.Verifier.Id:x8}}}",
            """ + $$$"""
            "jwk":{"kty":"OKP","crv":"Ed25519","x":"{{{Base64Url.EncodeToString(Signer.Verifier.PublicKey)}}}"}}
            """,
            Encoding.UTF8.GetString(Base64Url.DecodeFromChars(header)));
        Assert.True(SignatureAlgorithm.Ed25519.Verify(
            key, Encoding.ASCII.GetBytes($"{header}.{payload}"), Base64Url.DecodeFromChars(Member("signature"))));
        Assert.Equal(
            ["log", "origin", "checkpoint", "entries", "size", "root", "lastHash", "offsets", "ranges", "segment",
                "previous", "time", "note"],
            JsonDocument.Parse(Base64Url.DecodeFromChars(payload)).RootElement.EnumerateObject()
                .Select(member => member.Name));

        string Member(string name) => json.RootElement.GetProperty(name).GetString()!;
    }

    [Fact]
    public void No_byte_can_be_changed()
    {
        var bytes = CheckpointDocument.Sign(Statement, Signer).Bytes.ToArray();
        for (var i = 0; i < bytes.Length; i++)
        {
            foreach (var bit in new byte[] { 0x01, 0x20 })
            {
                bytes[i] ^= bit;
                Assert.False(CheckpointDocument.TryParse(bytes, out var read) && read.IsSignedBy([Signer.Verifier]));
                bytes[i] ^= bit;
            }
        }

        Assert.False(CheckpointDocument.TryParse((byte[])[.. bytes, (byte)'\n'], out _));
        Assert.False(CheckpointDocument.TryParse(bytes.AsMemory(1), out _));
        Assert.False(CheckpointDocument.TryParse(default, out _));
    }

    [Fact]
    public void Another_spelling_of_the_same_bytes_is_refused_though_it_is_signed()
    {
        // Whatever its length, one of three has unused bits in its last sign.
        foreach (var length in new[] { 1, 2, 3 })
        {
            var statement = Statement with { Segment = Statement.Segment with { VersionId = new('v', length) } };
            var (header, payload, _) = Parts(CheckpointDocument.Sign(statement, Signer).Bytes);
            foreach (var (spelled, isOther) in new[] { (payload, false), (Respelled(payload), true) })
            {
                var signature = Base64Url.EncodeToString(Signer.Sign($"{header}.{spelled}").Bytes.Span);
                var bytes = Encoding.ASCII.GetBytes(
                    $$"""{"payload":"{{spelled}}","protected":"{{header}}","signature":"{{signature}}"}""");

                Assert.Equal(!isOther || spelled == payload, CheckpointDocument.TryParse(bytes, out _));
            }
        }
    }

    [Fact]
    public void A_results_statement_has_one_spelling_though_another_one_is_signed()
    {
        var others = 0;
        foreach (var result in new[] { "a", "ab", "abc" })
        {
            var signed = ResultStatement.Sign(
                new(7, LogName.Events, 5, default, []),
                new(1, 0, [], new Dictionary<int, long>(), result), [], DateTimeOffset.UnixEpoch, Signer);
            var (header, payload, _) = Parts(signed);
            var spelled = Respelled(payload);
            var signature = Base64Url.EncodeToString(Signer.Sign($"{header}.{spelled}").Bytes.Span);
            var bytes = Encoding.ASCII.GetBytes(
                $$"""{"payload":"{{spelled}}","protected":"{{header}}","signature":"{{signature}}"}""");

            Assert.True(ResultStatement.TryOpen(signed, [Signer.Verifier], out _));
            Assert.Equal(spelled == payload, ResultStatement.TryOpen(bytes, [Signer.Verifier], out _));
            if (spelled != payload) others++;
        }

        Assert.Equal(2, others);
    }

    [Fact]
    public void Another_key_another_log_and_another_note_are_refused()
    {
        var (stranger, other) = (Signers.Log("stranger.example/log"), Signers.Log("voting.localhost/votes-08"));

        Assert.False(CheckpointDocument.Sign(Statement, Signer).IsSignedBy([other.Verifier]));
        Assert.False(CheckpointDocument.Sign(Statement, stranger).IsSignedBy([Signer.Verifier, stranger.Verifier]));
        var foreign = Statement with { Note = SignedCheckpoint.Sign(new(other.Verifier.Name, 230, default), other) };
        Assert.False(CheckpointDocument.Sign(foreign, Signer).IsSignedBy([Signer.Verifier]));
        Assert.False(CheckpointDocument.Sign(foreign, Signer).IsSignedBy([Signer.Verifier, other.Verifier]));
        Assert.True(CheckpointDocument.Sign(Statement, stranger).IsNotedBy([Signer.Verifier]));
    }

    [Fact]
    public void A_statement_that_cannot_be_is_refused()
    {
        CheckpointStatement[] impossible =
        [
            Statement with { Number = 0 },
            Statement with { Number = 1 },
            Statement with { Previous = null },
            Statement with { Entries = 0 },
            Statement with { Entries = 230 },
            Statement with { Entries = 231 },
            Statement with { Ranges = [] },
            Statement with { Ranges = [new("votes-7", 120, 120)] },
            Statement with { Ranges = [new("votes-7", 100, 119)] },
            Statement with { Ranges = [new("votes-8", 100, 120)] },
            Statement with { Time = Statement.Time.AddTicks(1) },
        ];

        Assert.True(CheckpointStatement.TryParse(Statement.ToBytes(), out _));
        Assert.All(impossible.SkipLast(1), one => Assert.False(CheckpointStatement.TryParse(one.ToBytes(), out _)));
        // What does not fit the form is not written.
        Assert.Equal(Statement.ToBytes(), impossible[^1].ToBytes());
    }

    [Theory]
    [InlineData("\"log\":", " \"log\":")]
    [InlineData("\"checkpoint\":2", "\"checkpoint\":2.0")]
    [InlineData("\"checkpoint\":2", "\"checkpoint\":\"2\"")]
    [InlineData("\"checkpoint\":2", "\"checkpoint\":2,\"checkpoint\":2")]
    [InlineData(",\"entries\":30", "")]
    [InlineData("[100,120]", "[100,120,1]")]
    [InlineData("[100,120]", "[100]")]
    [InlineData("\"size\":230", "\"size\":231")]
    [InlineData("00.007Z", "00Z")]
    [InlineData("localhost", "l\\u006fcalhost")]
    public void A_statement_has_one_spelling(string part, string other)
    {
        var text = Encoding.UTF8.GetString(Statement.ToBytes());

        Assert.Contains(part, text, StringComparison.Ordinal);
        Assert.False(CheckpointStatement.TryParse(
            Encoding.UTF8.GetBytes(text.Replace(part, other, StringComparison.Ordinal)), out _));
    }

    private static (string Header, string Payload, string Signature) Parts(ReadOnlyMemory<byte> document)
    {
        using var json = JsonDocument.Parse(document);
        return (Member("protected"), Member("payload"), Member("signature"));

        string Member(string name) => json.RootElement.GetProperty(name).GetString()!;
    }

    /// <returns>The same bytes with an unused bit set; the same text where no bit is unused.</returns>
    private static string Respelled(string text)
    {
        const string Signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        return text.Length % 4 == 0 ? text : text[..^1] + Signs[Signs.IndexOf(text[^1], StringComparison.Ordinal) | 1];
    }
}
