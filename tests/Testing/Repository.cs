namespace Testing;

/// <summary>Where the sources lie that the running tests were built from.</summary>
public static class Repository
{
    /// <summary>The directory of <c>Voting.sln</c>, found upwards from the tests' own binaries.</summary>
    /// <exception cref="InvalidOperationException">The tests do not run from inside a clone.</exception>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var place = new DirectoryInfo(AppContext.BaseDirectory); place is not null; place = place.Parent)
        {
            if (File.Exists(Path.Combine(place.FullName, "Voting.sln"))) return place.FullName;
        }

        throw new InvalidOperationException($"There is no Voting.sln in or above {AppContext.BaseDirectory}.");
    }
}
