using Microsoft.Extensions.Options;

namespace ResultsTests;

public sealed class SettingsTests
{
    [Theory]
    [InlineData("FrameInterval", "00:00:00.200")]
    [InlineData("HeartbeatInterval", "00:00:15")]
    [InlineData("WriteTimeout", "00:00:00")]
    [InlineData("ConnectionCountMax", "0")]
    [InlineData("ConnectionCountPerAddressMax", "0")]
    public async Task A_setting_out_of_its_range_stops_the_launch(string name, string value) =>
        await Assert.ThrowsAsync<OptionsValidationException>(() => Site.StartAsync((name, value)));
}
