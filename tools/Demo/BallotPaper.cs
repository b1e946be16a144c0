using System.Text.Json;

namespace Demo;

/// <summary>What a voter chose: options and text by question.</summary>
/// <param name="Choices">One a question at most; questions that say nothing are left out.</param>
internal sealed record BallotPaper(IReadOnlyList<Choice> Choices)
{
    /// <summary>The same for two ballots that say the same, and only for those.</summary>
    public string Content { get; } = ContentOf(
        Choices.SelectMany(choice => choice.Options).Select(int.Parse),
        Choices.Where(choice => choice.Text is not null).Select(choice => (choice.Question, choice.Text!)));

    /// <summary>Every chosen option.</summary>
    public IEnumerable<string> Options => Choices.SelectMany(choice => choice.Options);

    /// <returns>What a ballot says in a form to compare; an option that stands there twice shows.</returns>
    public static string ContentOf(IEnumerable<int> options, IEnumerable<(string Question, string Text)> texts) =>
        JsonSerializer.Serialize(new
        {
            Options = options.Order(),
            Texts = texts.OrderBy(text => text.Question, StringComparer.Ordinal)
                .Select(text => $"{text.Question}:{text.Text}"),
        });

    /// <returns>The request's body.</returns>
    /// <param name="otherWay">Answers and options in another order, which means the same.</param>
    public byte[] ToBody(bool otherWay = false) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        Answers = (otherWay ? Choices.Reverse() : Choices).Select(choice => new
        {
            choice.Question,
            Options = otherWay ? choice.Options.Reverse() : choice.Options,
            Text = choice.Text ?? "",
        }),
    }, Survey.Wire);
}

/// <summary>What a ballot says to one question.</summary>
/// <param name="Question">The question's id.</param>
/// <param name="Options">Different option ids.</param>
/// <param name="Text">Null when there is none, never empty.</param>
internal sealed record Choice(string Question, IReadOnlyList<string> Options, string? Text);

/// <summary>Fills in ballots of one survey as voters would. The same voter's are the same in every election.</summary>
internal sealed class BallotPapers(Survey survey)
{
    private const int AttemptCountMax = 50;
    private const double TextShare = 0.3;

    private static readonly string[] Texts =
    [
        "More trees, please.",
        "“Quoted”, \"straight\" and \\back\\ slashes",
        "Ja, natürlich – 是的 – نعم – да",
        "🗳️🌳",
        "line one\nline two\ttab",
        new('é', 2000),
    ];

    /// <returns>Different ballots of one voter: as many as there can be, at most <paramref name="countMax"/>.</returns>
    public IReadOnlyList<BallotPaper> Fill(int voter, int countMax)
    {
        var chance = new Random(voter);
        var papers = new List<BallotPaper>();
        for (var i = 0; i < AttemptCountMax && papers.Count < countMax; i++)
        {
            var paper = Fill(chance);
            if (papers.TrueForAll(other => other.Content != paper.Content)) papers.Add(paper);
        }

        return papers;
    }

    private BallotPaper Fill(Random chance) => new([.. survey.Questions
        .Select(question => Answer(question, chance))
        .Where(choice => choice.Options.Count > 0 || choice.Text is not null)]);

    private static Choice Answer(Question question, Random chance)
    {
        var count = chance.Next(question.Min, question.Max + 1);
        var left = question.Options.Select(option => option.Id).ToList();
        var chosen = new List<string>(count);
        while (chosen.Count < count)
        {
            // Earlier options are liked better, so that the tally has a shape.
            var next = (int)(left.Count * Math.Pow(chance.NextDouble(), 1.6));
            chosen.Add(left[next]);
            left.RemoveAt(next);
        }

        var text = question.AllowText && chosen.Count > 0 && chance.NextDouble() < TextShare
            ? Texts[chance.Next(Texts.Length)] : null;
        return new(question.Id, chosen, text);
    }
}
