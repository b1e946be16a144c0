using System.Net;
using Microsoft.Extensions.Primitives;
using Platform;

namespace PlatformTests;

public sealed class ClientAddressTests
{
    private static readonly IPNetwork[] Proxies =
        [IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("192.0.2.7/32"), IPNetwork.Parse("2001:db8:1::/48")];

    [Theory]
    // Nobody before us: the header is anybody's word.
    [InlineData("203.0.113.5", "198.51.100.1", "203.0.113.5")]
    [InlineData("203.0.113.5", null, "203.0.113.5")]
    [InlineData("10.0.0.1", null, "10.0.0.1")]
    [InlineData("10.0.0.1", "203.0.113.5", "203.0.113.5")]
    // What the client wrote itself stands left of what the first trusted proxy saw.
    [InlineData("10.0.0.1", "1.1.1.1, 203.0.113.5", "203.0.113.5")]
    [InlineData("10.0.0.1", "1.1.1.1, 203.0.113.5, 192.0.2.7", "203.0.113.5")]
    [InlineData("10.0.0.1", "10.9.9.9, 203.0.113.5, 10.2.3.4", "203.0.113.5")]
    [InlineData("10.0.0.1", "10.3.3.3,10.2.2.2", "10.3.3.3")]
    // With ports, as some proxies write, and in IPv6.
    [InlineData("10.0.0.1", "203.0.113.5:4711", "203.0.113.5")]
    [InlineData("2001:db8:1::9", "[2001:db8:2::5]:4711", "2001:db8:2::5")]
    [InlineData("2001:db8:1::9", "2001:db8:2::5", "2001:db8:2::5")]
    [InlineData("::ffff:10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5")]
    // What cannot be read ends the reading: the last one who could be trusted is who asks.
    [InlineData("10.0.0.1", "203.0.113.5, unknown", "10.0.0.1")]
    [InlineData("10.0.0.1", "203.0.113.5, unknown, 10.2.2.2", "10.2.2.2")]
    [InlineData("10.0.0.1", "", "10.0.0.1")]
    [InlineData("10.0.0.1", "203.0.113.5,", "10.0.0.1")]
    public void The_header_is_believed_from_the_right_as_far_as_proxies_are_trusted(
        string peer, string? header, string client) => Assert.Equal(
            IPAddress.Parse(client), ClientAddress.Of(IPAddress.Parse(peer), new StringValues(header), Proxies));

    [Fact]
    public void Several_headers_are_one_in_their_order() => Assert.Equal(
        IPAddress.Parse("203.0.113.5"),
        ClientAddress.Of(
            IPAddress.Parse("10.0.0.1"), new StringValues(["1.1.1.1, 203.0.113.5", "10.7.7.7"]), Proxies));

    [Theory]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("::ffff:203.0.113.5", "203.0.113.5", true)]
    [InlineData("203.0.113.5", "203.0.113.6", false)]
    public void One_subscriber_of_IPv6_is_one_caller(string one, string other, bool same) => Assert.Equal(
        same, AddressLimit.CallerOf(IPAddress.Parse(one)) == AddressLimit.CallerOf(IPAddress.Parse(other)));
}
