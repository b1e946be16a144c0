namespace Voting;

/// <summary>
/// What this process knows of surveys, and since when. The directory in production; a simulator stands in for it in
/// tests of the decisions.
/// </summary>
internal interface ISurveyReadings
{
    /// <inheritdoc cref="SurveyDirectory.Find"/>
    Survey? Find(int id);

    /// <inheritdoc cref="SurveyDirectory.PublishedReadStartedAt"/>
    long? PublishedReadStartedAt(int id);

    /// <inheritdoc cref="SurveyDirectory.ReadAfterAsync"/>
    Task ReadAfterAsync(long timestamp, CancellationToken cancel);
}
