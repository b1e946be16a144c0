namespace Voting;

/// <summary>
/// What a survey may be. Two kinds of faults: what is not in the form that the contract asks for (400), and what breaks
/// the
/// rules of surveys (422). Messages are by member path.
/// </summary>
internal static class SurveyRules
{
    public const int TitleLengthMax = 200;
    public const int OptionTextLengthMax = 200;
    public const int ImageLengthMax = 2_048;
    public const int GroupLengthMax = 100;
    public const int QuestionCountMax = 50;
    public const int OptionCountMin = 2;
    public const int OptionCountMax = 500;
    public const int OrderMax = 9_999;
    public const int LiveBatchMinMax = 10_000;
    public const int MinimumAgeMax = 150;

    private static readonly DateTimeOffset TimeMin = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset TimeMax = new(3000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <returns>What is malformed; when there is something, <see cref="Breaches"/> must not be asked.</returns>
    /// <param name="body">As it was parsed.</param>
    /// <param name="mayNameIds">Whether this is an update: what is new has no id yet.</param>
    public static Faults Malformations(SurveyBody body, bool mayNameIds)
    {
        var faults = new Faults();
        CheckLength("title", body.Title, TitleLengthMax);
        if (body.ResultsVisibility is { } word && SurveyWords.Visibility(word) is null)
            faults.Add("resultsVisibility", "This is live or afterFinish.");
        CheckLength("eligibility.group", body.Eligibility?.Group, GroupLengthMax);
        if (CheckCount("eligibility.countries", body.Eligibility?.Countries, Countries.CountMax))
        {
            for (var i = 0; i < body.Eligibility!.Countries!.Count; i++)
                CheckNull($"eligibility.countries[{i}]", body.Eligibility.Countries[i]);
        }

        if (!CheckCount("questions", body.Questions, QuestionCountMax)) return faults;
        for (var i = 0; i < body.Questions.Count; i++)
        {
            var (path, question) = ($"questions[{i}]", body.Questions[i]);
            if (!CheckNull(path, question)) continue;
            CheckId(path, question.Id);
            CheckLength($"{path}.title", question.Title, TitleLengthMax);
            if (!CheckCount($"{path}.options", question.Options, OptionCountMax)) continue;
            for (var k = 0; k < question.Options.Count; k++)
            {
                var (optionPath, option) = ($"{path}.options[{k}]", question.Options[k]);
                if (!CheckNull(optionPath, option)) continue;
                CheckId(optionPath, option.Id);
                CheckLength($"{optionPath}.text", option.Text, OptionTextLengthMax);
                CheckLength($"{optionPath}.image", option.Image, ImageLengthMax);
            }
        }

        return faults;

        // The serializer's null checks stop at a list's elements.
        bool CheckNull(string path, object? value) => value is not null || faults.Add(path, "This is null.");

        bool CheckCount<T>(string path, IReadOnlyList<T>? items, int countMax) =>
            items is not null && (items.Count <= countMax || faults.Add(path, $"At most {countMax} are taken."));

        void CheckLength(string path, string? text, int lengthMax)
        {
            if (text is not null && Length(text) > lengthMax)
                faults.Add(path, $"At most {lengthMax} characters are taken.");
        }

        void CheckId(string path, string? id)
        {
            if (id is not null && !mayNameIds)
                faults.Add($"{path}.id", "There is no such member: what is new has no id yet.");
        }
    }

    /// <returns>The rules that the survey breaks.</returns>
    public static Faults Breaches(SurveyBody body)
    {
        var faults = new Faults();
        CheckText(faults, "title", body.Title);
        if (body.LiveBatchMin is < 1 or > LiveBatchMinMax)
            faults.Add("liveBatchMin", $"This is 1 to {LiveBatchMinMax}.");
        CheckTimes(faults, body);
        if (body.Eligibility is { } eligibility) CheckEligibility(faults, eligibility);
        if (body.Questions.Count == 0) faults.Add("questions", "A survey has at least one question.");
        CheckOrders(faults, body.Questions, question => question.Order, i => $"questions[{i}].order");
        for (var i = 0; i < body.Questions.Count; i++) CheckQuestion(faults, $"questions[{i}]", body.Questions[i]);
        return faults;
    }

    private static void CheckQuestion(Faults faults, string path, QuestionBody question)
    {
        CheckText(faults, $"{path}.title", question.Title);
        if (question.Min < 0) faults.Add($"{path}.min", "This is at least 0.");
        if (question.Max < question.Min) faults.Add($"{path}.max", "This is at least min.");
        if (question.Max > question.Options.Count) faults.Add($"{path}.max", "This is at most the number of options.");
        if (question.Options.Count < OptionCountMin)
            faults.Add($"{path}.options", $"A question has at least {OptionCountMin} options.");
        CheckOrders(faults, question.Options, option => option.Order, k => $"{path}.options[{k}].order");
        for (var k = 0; k < question.Options.Count; k++)
        {
            CheckText(faults, $"{path}.options[{k}].text", question.Options[k].Text);
            if (question.Options[k].Image is { } image && !IsHttps(image))
                faults.Add($"{path}.options[{k}].image", "This is an absolute https URL.");
        }
    }

    private static void CheckTimes(Faults faults, SurveyBody body)
    {
        if (body.OpensAt is { } opens && (opens < TimeMin || opens >= TimeMax))
            faults.Add("opensAt", "This is between the years 2000 and 2999.");
        if (body.ClosesAt is { } closes && (closes < TimeMin || closes >= TimeMax))
            faults.Add("closesAt", "This is between the years 2000 and 2999.");
        if (body.ClosesAt <= body.OpensAt) faults.Add("closesAt", "This is after opensAt.");
    }

    private static void CheckEligibility(Faults faults, EligibilityBody eligibility)
    {
        const string unknowable = "Only of verified persons is this known; verified must not be false.";
        if (eligibility.Countries is { } countries)
        {
            if (countries.Count == 0) faults.Add("eligibility.countries", "Name a country, or leave this out for any.");
            if (!eligibility.Verified) faults.Add("eligibility.countries", unknowable);
            var seen = new HashSet<string>();
            for (var i = 0; i < countries.Count; i++)
            {
                if (!Countries.Exists(countries[i]))
                    faults.Add($"eligibility.countries[{i}]", "This is an ISO 3166-1 code of two capital letters.");
                else if (!seen.Add(countries[i]))
                    faults.Add($"eligibility.countries[{i}]", "This country is there already.");
            }
        }

        if (eligibility.MinimumAge is { } age)
        {
            if (age is < 1 or > MinimumAgeMax) faults.Add("eligibility.minimumAge", $"This is 1 to {MinimumAgeMax}.");
            if (!eligibility.Verified) faults.Add("eligibility.minimumAge", unknowable);
        }

        if (eligibility.Group is { } group) CheckText(faults, "eligibility.group", group);
    }

    private static void CheckOrders<T>(
        Faults faults, IReadOnlyList<T> items, Func<T, int> order, Func<int, string> path)
    {
        var seen = new HashSet<int>();
        for (var i = 0; i < items.Count; i++)
        {
            if (order(items[i]) is < 0 or > OrderMax) faults.Add(path(i), $"This is 0 to {OrderMax}.");
            else if (!seen.Add(order(items[i]))) faults.Add(path(i), "Another one here has the same order.");
        }
    }

    private static void CheckText(Faults faults, string path, string text)
    {
        if (string.IsNullOrWhiteSpace(text)) faults.Add(path, "This is empty.");
        // PostgreSQL takes no U+0000, and a line of text no other control character.
        else if (text.Any(char.IsControl)) faults.Add(path, "This has a control character in it.");
    }

    private static bool IsHttps(string image) =>
        Uri.TryCreate(image, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps
        && image.StartsWith("https://", StringComparison.OrdinalIgnoreCase)
        && uri.Host.Length > 0 && uri.UserInfo.Length == 0 && uri.IsWellFormedOriginalString()
        && !image.Any(char.IsControl);

    /// <returns>Characters as people and PostgreSQL count them: one for each code point.</returns>
    private static int Length(string text)
    {
        var length = 0;
        foreach (var _ in text.EnumerateRunes()) length++;
        return length;
    }
}

/// <summary>Messages by member path. Holds the first hundred: nobody mends more at once.</summary>
internal sealed class Faults
{
    private const int CountMax = 100;

    private readonly Dictionary<string, string[]> _messages = [];

    public bool None => _messages.Count == 0;

    public IReadOnlyDictionary<string, string[]> Messages => _messages;

    /// <returns>False, always: so that a check can end with it.</returns>
    public bool Add(string path, string message)
    {
        if (_messages.TryGetValue(path, out var before)) _messages[path] = [.. before, message];
        else if (_messages.Count < CountMax) _messages[path] = [message];
        return false;
    }
}
