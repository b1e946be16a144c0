using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Audit;
using CsCheck;
using ZstdSharp;

namespace AuditTests;

/// <summary>What is written into a segment is read from it, byte for byte, and nothing else is taken.</summary>
public sealed class SegmentTests
{
    private static readonly EntrySource Votes = new("votes", 7);
    private static readonly EntrySource Outcomes = new("vote-outcomes", 7);

    private static readonly string[] Oddities =
    [
        "", "{", "{}", "{}{}", "[1]", " {} ", "{\n}", "{}\r", "\"", "null", "{\"a\":1}}", "{\"event\":{}}", "\u0000",
        "{\"a\":\"\u2028\"}",
    ];

    private static readonly Gen<byte[]> Events = Gen.OneOf(
        Gen.Int[0, 60].Select(length =>
            Utf8("{\"id\":\"" + new string('x', length) + "\",\"data\":{\"a\":[1,\"}\"]}}")),
        Gen.Byte.Array[0, 40],
        Gen.String.Select(Encoding.UTF8.GetBytes),
        Gen.Int[0, Oddities.Length - 1].Select(number => Utf8(Oddities[number])));

    [Fact]
    public void Whatever_the_events_are_they_come_back_with_their_places_and_links() =>
        Gen.Select(Gen.Long[0, 1L << 40], Events.Array[1, 30]).Sample((first, events) =>
        {
            var last = Digest.Of(BitConverter.GetBytes(first));
            var bytes = Write(first, last, events, out var entries, out var end);
            using var reader = new SegmentReader(bytes);
            for (var i = 0; i < events.Length; i++)
            {
                Assert.True(reader.TryRead(out var entry));
                Assert.Equal(events[i], entry.Event.ToArray());
                Assert.Equal((first + i, Source(i).Name, 1000L + i), (entry.Index, entry.Source.Name, entry.Offset));
                Assert.True(entry.Continues(first + i, last));
                Assert.False(entry.Continues(first + i + 1, last));
                Assert.False(entry.Continues(first + i, entry.Hash));
                Assert.Equal(new Digest(SHA256.HashData([.. last.Span, .. events[i]])), entry.Hash);
                Assert.Equal(new Digest(SHA256.HashData(events[i])), entry.Entry);
                Assert.Equal(entries[i], entry.Entry);
                last = entry.Hash;
            }

            Assert.False(reader.TryRead(out _));
            Assert.Equal(end, last);
        });

    [Fact]
    public void Every_line_is_json_in_which_a_json_event_stands_as_it_is()
    {
        var json = Utf8("""{"a" : "é", "b":[ 1.0 ]}""");
        byte[][] events = [json, Utf8("no json\n"), [0xff, 0xfe], Utf8("{}\n")];

        var lines = Encoding.UTF8.GetString(Unpack(Write(5, default, events, out _, out _))).Split('\n');

        Assert.Equal("", lines[^1]);
        Assert.Equal(events.Length + 1, lines.Length);
        Assert.All(lines[..^1], line => JsonDocument.Parse(line).Dispose());
        Assert.Contains("""
            ,"topic":"votes","partition":7,"offset":1000,"event":{"a" : "é", "b":[ 1.0 ]}}
            """, lines[0], StringComparison.Ordinal);
        Assert.StartsWith("""{"index":5,"previous":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","hash":" """.Trim(),
            lines[0], StringComparison.Ordinal);
        Assert.EndsWith("""
            ,"topic":"vote-outcomes","partition":7,"offset":1001,"text":"no json\n"}
            """, lines[1], StringComparison.Ordinal);
        Assert.EndsWith(",\"bytes\":\"__4\"}", lines[2], StringComparison.Ordinal);
        Assert.EndsWith(",\"text\":\"{}\\n\"}", lines[3], StringComparison.Ordinal);
    }

    [Fact]
    public void A_note_stands_as_text_with_its_log_and_checkpoint()
    {
        var note = Utf8("voting.localhost/votes-07\n1\nAAAA\n\n— voting.localhost/votes-07 AAAA\n");
        using var writer = new SegmentWriter(0, default);
        writer.Add(new("votes-07", null), 3, note);
        var bytes = writer.Finish().ToArray();

        using var reader = new SegmentReader(bytes);
        Assert.True(reader.TryRead(out var entry));
        Assert.Equal(("votes-07", (int?)null, 3), (entry.Source.Name, entry.Source.Partition, entry.Offset));
        Assert.Equal(note, entry.Event.ToArray());
        Assert.Contains(""" ,"log":"votes-07","checkpoint":3,"text":"voting.localhost/votes-07\n1\n""".Trim(),
            Encoding.UTF8.GetString(Unpack(bytes)), StringComparison.Ordinal);
    }

    [Fact]
    public void Large_events_and_many_of_them_fit()
    {
        byte[][] events =
        [
            .. Enumerable.Range(0, 5_000)
                .Select(i => Utf8($$"""{"number":{{i}},"filling":"{{new string('y', 500)}}"}""")),
            Utf8($$"""{"large":"{{new string('z', 900 * 1024)}}"}"""),
            .. Enumerable.Range(0, 3).Select(_ => RandomNumberGenerator.GetBytes(900 * 1024)),
            [.. Enumerable.Repeat((byte)1, 900 * 1024)],
        ];
        using var reader = new SegmentReader(Write(0, default, events, out _, out _));
        foreach (var written in events)
        {
            Assert.True(reader.TryRead(out var entry));
            Assert.True(entry.Event.Span.SequenceEqual(written));
        }

        Assert.False(reader.TryRead(out _));
    }

    [Fact]
    public void The_same_entries_are_the_same_object()
    {
        byte[][] events = [.. Enumerable.Range(0, 2_000).Select(i => Utf8($$"""{"number":{{i}}}"""))];

        Assert.Equal(Write(9, default, events, out _, out _), Write(9, default, events, out _, out _));
    }

    [Fact]
    public void A_damaged_object_is_refused_wherever_it_is_damaged()
    {
        byte[][] events = [.. Enumerable.Range(0, 50).Select(i => Utf8($$"""{"number":{{i}}}"""))];
        var bytes = Write(0, default, events, out _, out _);
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 0x20;
            Assert.True(IsRefusedOrOther(bytes, events), $"A change of byte {i} was not noticed.");
            bytes[i] ^= 0x20;
            Assert.Throws<InvalidDataException>(() => ReadAll(bytes[..i]));
        }
    }

    [Theory]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"event":{}}""", true)]
    [InlineData("""{"index":00,"previous":"P","hash":"P",V"offset":1,"event":{}}""", false)]
    [InlineData("""{"index":-1,"previous":"P","hash":"P",V"offset":1,"event":{}}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"",V"offset":1,"event":{}}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P","topic":"","partition":7,"offset":1,"event":{}}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P","topic":"a","partition":-7,"offset":1,"event":{}}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":x,"event":{}}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"other":{}}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"event":{}""", true)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"event":""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"text":1}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"text":"a""b"}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"bytes":"*"}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"bytes":"_w"}""", true)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"bytes":"_x"}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"bytes":"_w=="}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P",V"offset":1,"bytes":"_ w"}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"Q",V"offset":1,"event":{}}""", false)]
    [InlineData("""{"index":0,"previous":"Q","hash":"P",V"offset":1,"event":{}}""", false)]
    [InlineData("""{"index":0,"previous":"P","hash":"P","log":"votes-07","checkpoint":1,"text":"a"}""", true)]
    [InlineData("""{"index":0,"previous":"P","hash":"P","log":"votes-07","offset":1,"text":"a"}""", false)]
    [InlineData(" ", false)]
    [InlineData("", false)]
    public void A_line_of_another_form_is_refused_by_its_number(string line, bool isTaken)
    {
        using var zstd = new Compressor();
        var lines = Utf8(line.Replace("\"P\"", $"\"{new string('A', 43)}\"", StringComparison.Ordinal)
            // The same bytes, with unused bits that are not zero.
            .Replace("\"Q\"", $"\"{new string('A', 42)}B\"", StringComparison.Ordinal)
            .Replace(",V", ",\"topic\":\"votes\",\"partition\":7,", StringComparison.Ordinal) + "\n");
        var bytes = zstd.Wrap(lines).ToArray();

        if (isTaken) Assert.Equal(1, ReadAll(bytes));
        else Assert.Contains("Line 1 ", Assert.Throws<InvalidDataException>(() => ReadAll(bytes)).Message);
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private static EntrySource Source(int i) => i % 3 == 1 ? Outcomes : Votes;

    private static byte[] Write(long first, Digest last, byte[][] events, out Digest[] entries, out Digest end)
    {
        using var writer = new SegmentWriter(first, last);
        entries = [.. events.Select((written, i) => writer.Add(Source(i), 1000 + i, written))];
        end = writer.LastHash;
        Assert.Equal(first + events.Length, writer.NextIndex);
        return writer.Finish().ToArray();
    }

    private static byte[] Unpack(byte[] segment)
    {
        using var lines = new MemoryStream();
        using var unpacked = new DecompressionStream(new MemoryStream(segment));
        unpacked.CopyTo(lines);
        return lines.ToArray();
    }

    private static int ReadAll(byte[] segment)
    {
        using var reader = new SegmentReader(segment);
        var count = 0;
        while (reader.TryRead(out _)) count++;
        return count;
    }

    /// <summary>A few bits of the frame's head mean nothing: then what is read is what was written.</summary>
    private static bool IsRefusedOrOther(byte[] segment, byte[][] events)
    {
        try
        {
            using var reader = new SegmentReader(segment);
            foreach (var written in events)
            {
                Assert.True(reader.TryRead(out var entry));
                Assert.Equal(written, entry.Event.ToArray());
            }

            return !reader.TryRead(out _);
        }
        catch (InvalidDataException)
        {
            return true;
        }
    }
}
