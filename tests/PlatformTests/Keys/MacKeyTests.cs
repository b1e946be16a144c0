using System.Security.Cryptography;
using System.Text;
using Platform;

namespace PlatformTests;

public sealed class MacKeyTests
{
    [Fact]
    public void It_makes_the_macs_of_RFC_4231()
    {
        var mac = new byte[MacKey.SizeBytes];

        new MacKey(Encoding.ASCII.GetBytes("Jefe")).Compute("what do ya want for nothing?"u8, mac);

        Assert.Equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", Convert.ToHexStringLower(mac));
    }

    [Fact]
    public void Many_threads_get_the_mac_of_their_own_message()
    {
        var secret = RandomNumberGenerator.GetBytes(32);
        var key = new MacKey(secret);

        Parallel.For(0, 20_000, number =>
        {
            var message = Encoding.ASCII.GetBytes(new string('x', number % 300) + number);
            Span<byte> mac = stackalloc byte[MacKey.SizeBytes];
            key.Compute(message, mac);
            Assert.True(mac.SequenceEqual(HMACSHA256.HashData(secret, message)));
        });
    }
}
