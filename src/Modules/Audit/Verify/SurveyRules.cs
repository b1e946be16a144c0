using System.Text.Json;

namespace Audit;

/// <summary>What a survey takes, as its publication says.</summary>
internal sealed class SurveyRules
{
    // Who took part is kept in as many bits; the platform allows fewer.
    private const int QuestionCountMax = 64;

    private readonly Dictionary<int, Question> _questions = [];
    private ulong _required;

    /// <summary>Every option of every question.</summary>
    public HashSet<int> Options { get; } = [];

    /// <param name="data">Of <c>survey.published</c>.</param>
    /// <exception cref="FormatException">It is not of the first version.</exception>
    public static SurveyRules Of(JsonElement data)
    {
        var rules = new SurveyRules();
        foreach (var question in data.GetProperty("questions").EnumerateArray()) rules.Add(question);
        return rules;
    }

    /// <returns>Null when the survey has no such question.</returns>
    public Question? Find(int question) => _questions.GetValueOrDefault(question);

    /// <param name="answered">Bits of the questions that were answered.</param>
    public bool IsComplete(ulong answered) => (_required & ~answered) == 0;

    private void Add(JsonElement json)
    {
        if (_questions.Count == QuestionCountMax) throw new FormatException("A survey has not so many questions.");
        var question = new Question(
            1UL << _questions.Count, json.GetProperty("min").GetInt32(), json.GetProperty("max").GetInt32(),
            json.GetProperty("allowText").GetBoolean(), []);
        foreach (var option in json.GetProperty("options").EnumerateArray())
        {
            var id = int.Parse(option.GetProperty("id").GetString()!, null);
            // Every option belongs to one question: totals are by option alone.
            if (!Options.Add(id) || !question.Options.Add(id)) throw new FormatException("An option stands twice.");
        }

        if (!_questions.TryAdd(int.Parse(json.GetProperty("id").GetString()!, null), question))
            throw new FormatException("A question stands twice.");
        if (question.Min > 0) _required |= question.Bit;
    }

    /// <summary>One question.</summary>
    /// <param name="Bit">Its own among the survey's.</param>
    internal sealed record Question(ulong Bit, int Min, int Max, bool AllowText, HashSet<int> Options);
}
