using Audit;
using CsCheck;

namespace AuditTests;

public sealed class TileTests
{
    [Theory]
    [InlineData(0, 0, 256, "tile/0/000")]
    [InlineData(0, 5, 1, "tile/0/005.p/1")]
    [InlineData(1, 1_234_067, 256, "tile/1/x001/x234/067")]
    [InlineData(63, 1000, 255, "tile/63/x001/000.p/255")]
    [InlineData(-1, 273, 112, "tile/entries/273.p/112")]
    [InlineData(0, long.MaxValue, 256, "tile/0/x009/x223/x372/x036/x854/x775/807")]
    public void A_path_names_its_tile(int level, long index, int width, string path)
    {
        var tile = new TileId(level, index, width);

        Assert.Equal(path, tile.Path);
        Assert.True(TileId.TryParse(path, out var read));
        Assert.Equal(tile, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData("tile/")]
    [InlineData("tile/0")]
    [InlineData("tile/0/")]
    [InlineData("/tile/0/000")]
    [InlineData("tile/00/000")]
    [InlineData("tile/64/000")]
    [InlineData("tile/-1/000")]
    [InlineData("tile/+1/000")]
    [InlineData("tile/0/0")]
    [InlineData("tile/0/0000")]
    [InlineData("tile/0/x000/000")]
    [InlineData("tile/0/001/000")]
    [InlineData("tile/0/x001")]
    [InlineData("tile/0/x001/x000")]
    [InlineData("tile/0/000/")]
    [InlineData("tile/0/000.p")]
    [InlineData("tile/0/000.p/")]
    [InlineData("tile/0/000.p/0")]
    [InlineData("tile/0/000.p/01")]
    [InlineData("tile/0/000.p/256")]
    [InlineData("tile/0/000.p/1/")]
    [InlineData("tile/0/000.p/1.p/1")]
    [InlineData("tile/0/x009/x223/x372/x036/x854/x775/808")]
    [InlineData("tile/0/x999/x999/x999/x999/x999/x999/x999/999")]
    [InlineData("tile/Entries/000")]
    [InlineData("tile/entries/x1/000")]
    [InlineData("tile/0/٠٠٠")]
    public void Another_spelling_is_no_path(string path) => Assert.False(TileId.TryParse(path, out _));

    [Fact]
    public void Whatever_is_read_as_a_path_is_written_the_same() => Gen.Select(
        Gen.Int[-1, 63], Gen.Long[0, long.MaxValue], Gen.Int[1, 256], Mutations.Gen)
        .Sample((level, index, width, mutation) =>
        {
            var path = new TileId(level, index, width).Path;
            Assert.True(TileId.TryParse(path, out var same) && same == new TileId(level, index, width));
            var altered = mutation.Of(path);
            if (TileId.TryParse(altered, out var tile)) Assert.Equal(altered, tile.Path);
        });

    [Fact]
    public void The_tiles_of_seventy_thousand_entries_are_those_of_the_specification()
    {
        var tiles = TileId.Of(70_000).ToArray();

        Assert.Equal(273, tiles.Count(tile => tile is { Level: 0, Width: 256 }));
        Assert.Equal(new(0, 273, 112), tiles.Single(tile => tile is { Level: 0, Width: < 256 }));
        Assert.Equal([new(1, 0, 256), new(1, 1, 17)], tiles.Where(tile => tile.Level == 1));
        Assert.Equal([new(2, 0, 1)], tiles.Where(tile => tile.Level == 2));
        Assert.Equal(273 + 1 + 2 + 1, tiles.Length);
    }

    [Fact]
    public void Between_two_sizes_come_the_tiles_that_only_the_later_has() => Gen.Select(
        Gen.Int[0, 140_000], Gen.Int[0, 140_000]).Sample((one, other) =>
        {
            var (earlier, size) = (Math.Min(one, other), Math.Max(one, other));
            Assert.Equal(TileId.Of(size).Except(TileId.Of(earlier)), TileId.Of(size, earlier));
        }, iter: 50);

    [Fact]
    public void A_tree_has_the_tiles_up_to_its_edge()
    {
        Assert.True(new TileId(0, 0, 255).IsOf(255));
        Assert.False(new TileId(0, 0, 256).IsOf(255));
        Assert.True(new TileId(0, 0, 7).IsOf(256));
        Assert.False(new TileId(1, 0, 1).IsOf(255));
        Assert.True(new TileId(1, 0, 1).IsOf(256));
        Assert.False(new TileId(8, 0, 1).IsOf(long.MaxValue));
        Assert.False(new TileId(0, long.MaxValue, 1).IsOf(long.MaxValue));
        Assert.True(new TileId(TileId.EntriesLevel, 0, 3).IsOf(3));
        Assert.Equal(0, TileId.WidthAt(0, 1, 256));
        Assert.Empty(TileId.Of(0));
    }

    [Fact]
    public void Entries_come_back_from_their_bundle_and_from_no_other()
    {
        Digest[] entries = [.. Enumerable.Range(0, 256).Select(i => GrownLog.Entry(i))];
        var bundle = EntryBundle.Encode(entries);

        Assert.Equal(256 * 34, bundle.Length);
        Assert.Equal([0, 32], bundle[..2]);
        Assert.True(EntryBundle.TryParse(bundle, 256, out var read));
        Assert.Equal(entries, read);
        Assert.False(EntryBundle.TryParse(bundle, 255, out _));
        Assert.False(EntryBundle.TryParse(bundle.AsSpan(0, bundle.Length - 1), 256, out _));
        bundle[34] = 1;
        Assert.False(EntryBundle.TryParse(bundle, 256, out read));
        Assert.Empty(read);
    }
}
