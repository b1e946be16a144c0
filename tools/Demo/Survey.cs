using System.Text.Json;

namespace Demo;

/// <summary>A survey as the platform shows it.</summary>
internal sealed record Survey(string Id, string Title, IReadOnlyList<Question> Questions)
{
    /// <exception cref="BrokenOffException">It is not what the contract says.</exception>
    public static Survey Of(Answer answer)
    {
        try
        {
            return answer.Body?.Deserialize<Survey>(Wire) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new BrokenOffException($"The platform's survey cannot be read: {e.Message}");
        }
    }

    /// <summary>How everything on the wire is written.</summary>
    public static JsonSerializerOptions Wire { get; } = new(JsonSerializerDefaults.Web)
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };
}

/// <summary>A question; at least <c>Min</c> and at most <c>Max</c> of its options may be chosen.</summary>
internal sealed record Question(
    string Id, string Title, int Min, int Max, IReadOnlyList<OfferedOption> Options, bool AllowText = false);

/// <summary>What may be chosen.</summary>
internal sealed record OfferedOption(string Id, string Text);

/// <summary>The file from which a survey is made.</summary>
/// <param name="Body">Sent as it is: what is wrong with it, the platform says.</param>
/// <param name="Countries">Where voters may be from; empty: anywhere.</param>
/// <param name="MinimumAge">How old they are at least; null: any age.</param>
internal sealed record SurveyFile(byte[] Body, IReadOnlyList<string> Countries, int? MinimumAge)
{
    private const int SizeBytesMax = 1024 * 1024;

    /// <param name="file">Null takes the sample.</param>
    /// <exception cref="MisuseException">It is not there, or no JSON object.</exception>
    public static SurveyFile Read(FileInfo? file)
    {
        file ??= new(Path.Combine(AppContext.BaseDirectory, "sample-survey.json"));
        try
        {
            if (file is { Exists: true, Length: > SizeBytesMax }) throw new MisuseException($"{file} is too large.");
            var body = File.ReadAllBytes(file.FullName);
            var json = JsonElement.Parse(body);
            if (json.ValueKind is not JsonValueKind.Object) throw new MisuseException($"{file} holds no JSON object.");
            var eligibility = json.TryGetProperty("eligibility", out var said) && said.ValueKind is JsonValueKind.Object
                ? said.Deserialize<Eligibility>(Survey.Wire) : null;
            return new(body, eligibility?.Countries ?? [], eligibility?.MinimumAge);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new MisuseException($"{file} is no survey: {e.Message}");
        }
    }

    private sealed record Eligibility(IReadOnlyList<string>? Countries = null, int? MinimumAge = null);
}
