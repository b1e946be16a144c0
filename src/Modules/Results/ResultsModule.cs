namespace Results;

/// <summary>The module's one entry: only the host calls it.</summary>
public static class ResultsModule
{
}
