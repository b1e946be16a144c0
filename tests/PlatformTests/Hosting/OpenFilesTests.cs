using Platform;

namespace PlatformTests;

public sealed class OpenFilesTests
{
    [Theory]
    [InlineData("Max open files            1024                 524288               files     ", 1_024)]
    [InlineData("Max open files            1073741816           1073741816           files     ", 1_073_741_816)]
    [InlineData("Max open files            9999999999           9999999999           files     ", int.MaxValue)]
    [InlineData("Max open files            unlimited            unlimited            files     ", null)]
    [InlineData("Max processes             95838                95838                processes ", null)]
    public void The_limit_is_the_one_that_is_in_force(string line, int? max) =>
        Assert.Equal(max, OpenFiles.Read(["Limit  Soft Limit  Hard Limit  Units", line]));

    [Theory]
    [InlineData(100, 0)]
    [InlineData(1_024, 424)]
    [InlineData(6_000, 5_400)]
    [InlineData(100_000, 90_000)]
    [InlineData(int.MaxValue, 1_932_735_283)]
    public void Connections_leave_room_for_all_else(int openFilesMax, int connections) =>
        Assert.Equal(connections, OpenFiles.ConnectionCountMax(openFilesMax));

    [Fact]
    public void This_process_knows_its_own() => Assert.NotEqual(0, OpenFiles.Max);
}
