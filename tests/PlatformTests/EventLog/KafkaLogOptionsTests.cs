using System.ComponentModel.DataAnnotations;
using Platform;

namespace PlatformTests;

public sealed class KafkaLogOptionsTests
{
    [Theory]
    [InlineData("plaintext", "", "")]
    [InlineData("ssl", "", "")]
    [InlineData("sasl_plaintext", "user", "password")]
    [InlineData("sasl_ssl", "user", "password")]
    public void Takes_each_way_to_speak_to_brokers(string protocol, string user, string password) =>
        Assert.Empty(Faults(new() { Security = new() { Protocol = protocol, User = user, Password = password } }));

    [Theory]
    [InlineData("tls", "", "", "Log__Kafka__Security__Protocol")]
    [InlineData("sasl_ssl", "user", "", "Log__Kafka__Security__User and Password")]
    [InlineData("ssl", "user", "secret-word", "Log__Kafka__Security__User")]
    public void Refuses_what_does_not_go_together_and_tells_no_secret(
        string protocol, string user, string password, string says)
    {
        var fault = Assert.Single(
            Faults(new() { Security = new() { Protocol = protocol, User = user, Password = password } }));

        Assert.StartsWith(says, fault, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-word", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_a_mechanism_an_authority_and_counts_that_cannot_be()
    {
        Assert.Single(Faults(new() { Security = new() { Mechanism = "GSSAPI" } }));
        Assert.Single(Faults(new() { Security = new() { Protocol = "ssl", CaFile = "no-such-file.pem" } }));
        Assert.Single(Faults(new() { Replication = 1 }));
        Assert.Single(Faults(new() { SessionTimeout = TimeSpan.FromSeconds(2) }));
        Assert.Single(Faults(new() { BootstrapServers = "broker" }));
        Assert.Single(Faults(new() { BootstrapServers = "http://broker:9092" }));
        Assert.Empty(Faults(new() { BootstrapServers = "broker-1:9092,broker-2:9092" }));
    }

    [Fact]
    public void A_generation_is_read_from_its_place_and_from_no_other_form()
    {
        Assert.Equal(258, GroupGeneration.Parse([.. "CGMDv2:"u8, 2, 1, 0, 0, .. "group"u8]));
        Assert.Throws<InvalidOperationException>(() => GroupGeneration.Parse("CGMDv3:0000group"u8));
        Assert.Throws<InvalidOperationException>(() => GroupGeneration.Parse("CGMDv2:"u8));
    }

    private static List<string> Faults(KafkaLogOptions options)
    {
        var faults = new List<ValidationResult>();
        Validator.TryValidateObject(options, new(options), faults, validateAllProperties: true);
        return [.. faults.Select(fault => fault.ErrorMessage!)];
    }
}
