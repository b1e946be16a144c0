using Platform;
using Voting.Contracts;

namespace Voting;

/// <summary>Who may vote in a survey. Fixed at publication.</summary>
/// <param name="Verified">Only verified persons.</param>
/// <param name="Countries">ISO 3166-1 alpha-2, upper case; empty means any.</param>
/// <param name="MinimumAge">In years; null means any.</param>
/// <param name="Group">Name of an uploaded list of members; null means no list.</param>
internal sealed record Eligibility(bool Verified, IReadOnlyList<string> Countries, int? MinimumAge, string? Group);

/// <summary>A survey as the platform works with it: immutable, replaced whole when it changes.</summary>
/// <param name="Description">What the public sees.</param>
/// <param name="Eligibility">Who may vote.</param>
/// <param name="OpensAt">When it is published by itself, or null.</param>
/// <param name="ClosesAt">When it is finished by itself, or null.</param>
/// <param name="Secret">
/// 32 bytes: what voter keys, vote ids and salts of this survey are made with. Empty once it has been destroyed.
/// </param>
internal sealed record Survey(
    PublicSurvey Description, Eligibility Eligibility, DateTimeOffset? OpensAt, DateTimeOffset? ClosesAt, MacKey Secret)
{
    private readonly Dictionary<int, PublicQuestion> _questions =
        Description.Questions.ToDictionary(question => question.Id);

    private readonly HashSet<(int Question, int Option)> _offered =
    [
        .. Description.Questions.SelectMany(
            question => question.Options.Select(option => (question.Id, option.Id))),
    ];

    public int Id => Description.Id;

    public SurveyStatus Status => Description.Status;

    /// <returns>The question, or null when the survey has none of that id.</returns>
    public PublicQuestion? Question(int id) => _questions.GetValueOrDefault(id);

    /// <returns>Whether the question is the survey's, and the option the question's.</returns>
    public bool Offers(int question, int option) => _offered.Contains((question, option));
}
