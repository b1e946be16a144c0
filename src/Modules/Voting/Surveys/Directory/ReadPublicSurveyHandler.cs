using Mediator;
using Voting.Contracts;

namespace Voting;

/// <summary>Answers other modules from the directory.</summary>
internal sealed class ReadPublicSurveyHandler(SurveyDirectory directory)
    : IQueryHandler<ReadPublicSurvey, PublicSurvey?>
{
    public ValueTask<PublicSurvey?> Handle(ReadPublicSurvey query, CancellationToken cancellationToken) =>
        new(directory.Find(query.SurveyId)?.Description);
}
