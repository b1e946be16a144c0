using System.Net;
using Platform;

namespace PlatformTests;

public sealed class OpenByAddressTests
{
    [Fact]
    public void An_address_has_its_share_and_all_have_theirs()
    {
        var open = new OpenByAddress(countMax: 3, countPerAddressMax: 2);

        Assert.True(Open(open, "192.0.2.1", out var first));
        Assert.True(Open(open, "::ffff:192.0.2.1", out _));
        Assert.False(Open(open, "192.0.2.1", out _));
        Assert.True(Open(open, "192.0.2.2", out var other));
        Assert.False(Open(open, "192.0.2.3", out _));

        open.Close(other);
        Assert.False(Open(open, "192.0.2.1", out _));
        open.Close(first);
        Assert.True(Open(open, "192.0.2.1", out _));
    }

    [Fact]
    public void A_network_of_64_bits_is_one_address_and_so_are_those_without()
    {
        var open = new OpenByAddress(countMax: 10, countPerAddressMax: 1);

        Assert.True(Open(open, "2001:db8::1", out _));
        Assert.False(Open(open, "2001:db8::ffff:1", out _));
        Assert.True(Open(open, "2001:db8:0:1::1", out _));
        Assert.True(open.TryOpen(null, out _));
        Assert.False(open.TryOpen(null, out _));
    }

    [Fact]
    public async Task However_many_come_at_once_no_place_is_lost_or_doubled()
    {
        const int PerAddress = 20;
        var open = new OpenByAddress(countMax: 3 * PerAddress, countPerAddressMax: PerAddress);
        var most = 0;
        var counts = new int[4];

        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
        {
            for (var turn = 0; turn < 20_000; turn++)
            {
                var address = (i + turn) % counts.Length;
                var held = new List<UInt128>();
                while (held.Count < 10 && Open(open, $"192.0.2.{address}", out var caller))
                {
                    held.Add(caller);
                    InterlockedMax(ref most, Interlocked.Increment(ref counts[address]));
                }

                Interlocked.Add(ref counts[address], -held.Count);
                foreach (var caller in held) open.Close(caller);
            }
        }, TestContext.Current.CancellationToken)));

        Assert.InRange(most, 11, PerAddress);
        // All is given back: there is room for as many as at the beginning, and for no more.
        var places = Enumerable.Range(0, 4 * PerAddress).Count(i => Open(open, $"192.0.2.{i % 4}", out _));
        Assert.Equal(3 * PerAddress, places);
    }

    private static bool Open(OpenByAddress open, string address, out UInt128 caller) =>
        open.TryOpen(IPAddress.Parse(address), out caller);

    private static void InterlockedMax(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); value > seen;)
        {
            var before = Interlocked.CompareExchange(ref most, value, seen);
            if (before == seen) return;
            seen = before;
        }
    }
}
