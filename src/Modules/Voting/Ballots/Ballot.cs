using System.Buffers.Binary;
using System.Text;
using Voting.Contracts;

namespace Voting;

/// <summary>What a ballot says to one question.</summary>
/// <param name="Question">The question's id.</param>
/// <param name="Options">Distinct option ids, ascending; may be empty.</param>
/// <param name="Text">Free text; null when there is none, never empty.</param>
internal sealed record Answer(int Question, int[] Options, string? Text);

/// <summary>
/// A ballot in canonical form: two ballots that say the same have the same bytes, however they were written.
/// </summary>
internal sealed class Ballot
{
    /// <param name="answers">One a question at most; answers that say nothing are left out.</param>
    public Ballot(IEnumerable<Answer> answers)
    {
        Answers = [.. answers
            .Where(answer => answer.Options.Length > 0 || !string.IsNullOrEmpty(answer.Text))
            .Select(answer => answer with
            {
                Options = [.. answer.Options.Distinct().Order()],
                Text = string.IsNullOrEmpty(answer.Text) ? null : answer.Text,
            })
            .OrderBy(answer => answer.Question)];
        Canonical = Encode(Answers);
    }

    /// <summary>By question id.</summary>
    public IReadOnlyList<Answer> Answers { get; }

    /// <summary>What vote id and salt are made from.</summary>
    public byte[] Canonical { get; }

    // Every part is preceded by its length, so no two ballots share their bytes.
    private static byte[] Encode(IReadOnlyList<Answer> answers)
    {
        var sizeBytes = 0;
        foreach (var answer in answers)
            sizeBytes += 12 + 4 * answer.Options.Length + Encoding.UTF8.GetByteCount(answer.Text ?? "");

        var bytes = new byte[sizeBytes];
        var rest = bytes.AsSpan();
        foreach (var answer in answers)
        {
            Write(ref rest, answer.Question);
            Write(ref rest, answer.Options.Length);
            foreach (var option in answer.Options) Write(ref rest, option);
            var textSizeBytes = Encoding.UTF8.GetBytes(answer.Text ?? "", rest[4..]);
            Write(ref rest, textSizeBytes);
            rest = rest[textSizeBytes..];
        }

        return bytes;
    }

    private static void Write(ref Span<byte> rest, int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(rest, value);
        rest = rest[4..];
    }
}

/// <summary>What a survey asks of a ballot.</summary>
internal static class BallotRules
{
    /// <summary>Longest free text, in UTF-16 characters.</summary>
    public const int TextLengthMax = 2_000;

    // Nobody mends more at once, and an answer must not grow with the errors of its request.
    private const int ErrorCountMax = 50;

    /// <returns>
    /// What is wrong, by the request's member, and the first fifty of it; null when nothing is.
    /// </returns>
    public static Dictionary<string, string[]>? Check(Survey survey, IReadOnlyList<Answer> given)
    {
        Dictionary<string, string[]>? errors = null;
        var answered = new HashSet<int>();
        for (var i = 0; i < given.Count && !IsFull(); i++)
        {
            var answer = given[i];
            var question = survey.Question(answer.Question);
            // What is said to no question, or to one a second time, is not looked into.
            if (question is null) Refuse($"answers[{i}].question", $"The survey has no question {answer.Question}.");
            else if (!answered.Add(question.Id)) Refuse($"answers[{i}].question", "The question is answered twice.");
            else CheckAnswer(i, question, answer);
        }

        foreach (var question in survey.Description.Questions)
        {
            if (question.Min > 0 && !answered.Contains(question.Id))
                Refuse("answers", $"Question {question.Id} must be answered.");
        }

        return errors;

        void CheckAnswer(int i, PublicQuestion question, Answer answer)
        {
            if (answer.Text is { Length: > 0 } && !question.AllowText)
                Refuse($"answers[{i}].text", "The question takes no text.");
            // PostgreSQL's text holds every character but this one.
            if (answer.Text?.Contains('\0', StringComparison.Ordinal) is true)
                Refuse($"answers[{i}].text", "The text holds a null character.");
            for (var j = 0; j < answer.Options.Length && !IsFull(); j++)
            {
                if (!survey.Offers(question.Id, answer.Options[j]))
                    Refuse($"answers[{i}].options[{j}]", $"The question has no option {answer.Options[j]}.");
            }

            var count = answer.Options.Distinct().Count();
            if (count < question.Min || count > question.Max)
                Refuse($"answers[{i}].options", $"Choose {question.Min} to {question.Max} different options.");
        }

        bool IsFull() => errors?.Count >= ErrorCountMax;

        void Refuse(string member, string message)
        {
            if (IsFull()) return;
            errors ??= [];
            errors[member] = errors.TryGetValue(member, out var said) ? [.. said, message] : [message];
        }
    }
}
