using System.Text;
using Audit;
using CsCheck;

namespace AuditTests;

public sealed class NoteTests
{
    private const string Text = "a.example/log\n3\nAAAA\n";

    // The vector of C2SP's signed-note.
    private const string VectorKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    private const string VectorNote =
        """
        This is an example message.

        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

        """;

    private static readonly NoteSigner One = Signers.Log("a.example/log");
    private static readonly NoteSigner Other = Signers.Log("b.example/log");
    private static readonly NoteSigner Witness = Signers.Witness("w.example/witness");

    [Fact]
    public void The_specifications_vector_is_verified()
    {
        Assert.True(VerifierKey.TryParse(VectorKey, out var key));
        Assert.Equal(VectorKey, key.ToString());
        Assert.True(SignedNote.TryParse(VectorNote, out var note));

        Assert.Equal("This is an example message.\n", note.Text);
        Assert.Equal(NoteVerdict.Verified, note.Verify([key], out var signed));
        Assert.Equal([key], signed);
        Assert.Equal(VectorNote, note.ToString());
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(VectorNote), out note));
        Assert.Equal(VectorNote, note.ToString());
    }

    [Fact]
    public void What_is_signed_is_verified_by_its_key_alone()
    {
        var note = SignedNote.Sign(Text, One);

        Assert.Equal(NoteVerdict.Verified, note.Verify([Other.Verifier, One.Verifier], out var signed));
        Assert.Equal([One.Verifier], signed);
        Assert.Equal(NoteVerdict.NoKnownKey, note.Verify([Other.Verifier], out signed));
        Assert.Empty(signed);
        Assert.Equal(NoteVerdict.NoKnownKey, note.Verify([], out _));
    }

    [Fact]
    public void A_known_keys_wrong_signature_spoils_the_note_and_an_unknown_keys_does_not()
    {
        var wrong = One.Sign(Text) with { Bytes = Other.Sign(Text).Bytes };
        var note = SignedNote.Sign(Text, Other).With(wrong);

        Assert.Equal(NoteVerdict.WrongSignature, note.Verify([One.Verifier, Other.Verifier], out var signed));
        Assert.Empty(signed);
        Assert.Equal(NoteVerdict.Verified, note.Verify([Other.Verifier], out _));
        // A second signature of a known key counts as the first does.
        Assert.Equal(NoteVerdict.WrongSignature, SignedNote.Sign(Text, One).With(wrong).Verify([One.Verifier], out _));
    }

    [Fact]
    public void The_same_name_with_another_id_is_another_key()
    {
        var stranger = Signers.Witness("a.example/log");
        var note = SignedNote.Sign(Text, One).With(stranger.Cosign(Text, DateTimeOffset.UnixEpoch));

        Assert.Equal(NoteVerdict.Verified, note.Verify([One.Verifier], out _));
        Assert.Equal(NoteVerdict.Verified, note.Verify([stranger.Verifier], out _));
        Assert.NotEqual(One.Verifier.Id, stranger.Verifier.Id);
    }

    [Fact]
    public void A_hundred_signatures_are_taken_and_no_more()
    {
        var signers = Enumerable.Range(0, 101).Select(i => Signers.Log($"log{i}")).ToArray();
        var note = SignedNote.Sign(Text, signers[..100]);

        Assert.True(SignedNote.TryParse(note.ToString(), out var read));
        Assert.Equal(NoteVerdict.Verified, read.Verify([signers[99].Verifier], out _));
        Assert.False(SignedNote.TryParse(note.ToString() + signers[100].Sign(Text).Line, out _));
        Assert.Throws<ArgumentException>(() => note.With(signers[100].Sign(Text)));
        Assert.Throws<ArgumentException>(() => SignedNote.Sign(Text, signers));
        Assert.Throws<ArgumentException>(() => SignedNote.Sign(Text));
    }

    [Fact]
    public void Text_and_signatures_part_at_the_last_empty_line()
    {
        var note = SignedNote.Sign($"first\n\n— {Text}", One);

        Assert.True(SignedNote.TryParse(note.ToString(), out var read));
        Assert.Equal($"first\n\n— {Text}", read.Text);
        Assert.Equal(NoteVerdict.Verified, read.Verify([One.Verifier], out _));
    }

    [Theory]
    [InlineData("no newline")]
    [InlineData("tab\t\n")]
    [InlineData("return\r\n")]
    [InlineData("zero\0\n")]
    [InlineData("")]
    public void A_text_that_cannot_be_a_notes_is_not_signed(string text)
    {
        Assert.Throws<ArgumentException>(() => SignedNote.Sign(text, One));
        Assert.False(SignedNote.TryParse($"{text}\n{One.Sign(text).Line}\0", out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("text\n")]
    [InlineData("text\n\n")]
    [InlineData("text\n\n\n")]
    [InlineData("text\n— a.example/log AAAAAAA=\n")]
    [InlineData("text\n\n— a.example/log AAAAAAA=")]
    [InlineData("text\n\n- a.example/log AAAAAAA=\n")]
    [InlineData("text\n\n—  a.example/log AAAAAAA=\n")]
    [InlineData("text\n\n— a.example/log  AAAAAAA=\n")]
    [InlineData("text\n\n— a.example/log AAAAAAA= \n")]
    [InlineData("text\n\n— a.example/log AAAAAAB=\n")]
    [InlineData("text\n\n— a.example/log AAAAAAA\n")]
    [InlineData("text\n\n— a.example/log AAAAAA==\n")]
    [InlineData("text\n\n— a.example+log AAAAAAA=\n")]
    [InlineData("text\n\n— a.example\u00a0log AAAAAAA=\n")]
    [InlineData("text\n\n—  AAAAAAA=\n")]
    [InlineData("text\n\n— a.example/log\n")]
    public void What_is_no_note_is_refused(string message)
    {
        Assert.True(SignedNote.TryParse("text\n\n— a.example/log AAAAAAA=\n", out _));
        Assert.False(SignedNote.TryParse(message, out _));
    }

    [Fact]
    public void Bytes_that_are_no_utf8_are_no_note()
    {
        Assert.Throws<ArgumentException>(() => SignedNote.Sign("half a pair \ud800\n", One));
        Assert.False(SignedNote.TryParse("half a pair \ud800\n\n— a.example/log AAAAAAA=\n", out _));
        byte[] valid = Encoding.UTF8.GetBytes("text\n\n— a.example/log AAAAAAA=\n");
        Assert.True(SignedNote.TryParse(valid, out _));
        Assert.False(SignedNote.TryParse([0xff, .. valid], out _));
        Assert.False(SignedNote.TryParse([0xc0, 0x80, .. valid], out _));
        Assert.False(SignedNote.TryParse(new byte[StrictText.LengthMax + 1], out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("example.com/foo")]
    [InlineData("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=")]
    [InlineData("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k ")]
    [InlineData("example.com/foo+530d903a+")]
    [InlineData("example.com/ foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    public void What_is_no_key_is_refused(string text) => Assert.False(VerifierKey.TryParse(text, out _));

    [Fact]
    public void A_key_comes_back_from_its_text()
    {
        foreach (var key in new[] { One.Verifier, Witness.Verifier })
        {
            Assert.True(VerifierKey.TryParse(key.ToString(), out var read));
            Assert.Equal((key.Type, key.Name, key.Id), (read.Type, read.Name, read.Id));
            Assert.Equal(key.PublicKey, read.PublicKey);
        }

        Assert.Throws<ArgumentException>(() => VerifierKey.Of(NoteKeyType.Log, "a b", One.Verifier.PublicKey));
        Assert.Throws<ArgumentException>(() => VerifierKey.Of(NoteKeyType.Log, "a", new byte[31]));
    }

    [Fact]
    public void A_cosignature_holds_for_its_time_and_text_alone()
    {
        var seen = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);
        var line = Witness.Cosign(Text, seen);

        Assert.Equal(72, line.Bytes.Length);
        Assert.Equal(1_700_000_000u, line.WitnessTime);
        Assert.True(NoteSignature.TryParse(line.Line.AsSpan().TrimEnd('\n'), out var read));
        Assert.Equal(line, read);
        Assert.True(Witness.Verifier.Verifies(Text, line));
        Assert.False(Witness.Verifier.Verifies("other\n", line));
        var bytes = line.Bytes.ToArray();
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.False(Witness.Verifier.Verifies(Text, line with { Bytes = bytes.ToArray() }));
            bytes[i] ^= 1;
        }

        Assert.False(Witness.Verifier.Verifies(Text, line with { Bytes = line.Bytes[8..] }));
        Assert.False(Witness.Verifier.Verifies(Text, line with { Bytes = line.Bytes[..4] }));
        Assert.Throws<InvalidOperationException>(() => One.Cosign(Text, seen));
        Assert.Throws<InvalidOperationException>(() => Witness.Sign(Text));
    }

    [Fact]
    public void Whatever_is_read_as_a_note_is_written_the_same() => Mutations.Gen.Array[1, 3].Sample(mutations =>
    {
        var signed = SignedNote.Sign(Text, One, Other).With(Witness.Cosign(Text, DateTimeOffset.UnixEpoch)).ToString();
        var altered = mutations.Aggregate(signed, (text, mutation) => mutation.Of(text));
        if (!SignedNote.TryParse(altered, out var note)) return;
        Assert.Equal(altered, note.ToString());
        // Nothing verifies but the text that was signed.
        if (note.Verify([One.Verifier, Other.Verifier], out _) is NoteVerdict.Verified) Assert.Equal(Text, note.Text);
    });

    [Fact]
    public void Whatever_is_read_as_a_key_is_written_the_same() => Mutations.Gen.Array[1, 2].Sample(mutations =>
    {
        var altered = mutations.Aggregate(VectorKey, (text, mutation) => mutation.Of(text));
        if (VerifierKey.TryParse(altered, out var key)) Assert.Equal(altered, key.ToString());
    });
}
