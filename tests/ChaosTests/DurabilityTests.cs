namespace ChaosTests;

[Collection(RacesSite.Name)]
public sealed class DurabilityTests(Site site)
{
    [Theory]
    [InlineData("fsync")]
    [InlineData("synchronous_commit")]
    [InlineData("full_page_writes")]
    public async Task What_is_acknowledged_is_on_disk(string setting)
    {
        Assert.Equal("on", await site.ReadAsync<string>($"SHOW {setting}"));
        Assert.Equal(0, await site.ReadAsync<long>($"""
            SELECT count(*) FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setting LIKE '{setting}=%'
            """));
    }
}
