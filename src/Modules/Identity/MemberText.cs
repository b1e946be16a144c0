namespace Identity;

/// <summary>What the text of a request's member may be.</summary>
internal static class MemberText
{
    /// <summary>Longest <c>deviceId</c>, which the voter app makes up, in UTF-16 characters.</summary>
    public const int DeviceIdLengthMax = 128;

    /// <returns>What is wrong with it, for the caller's eyes; null when nothing is, or when it was not sent.</returns>
    public static string? Fault(string? text, int lengthMax) =>
        // PostgreSQL's text holds every character but U+0000.
        text is not null && (text.Length is 0 || text.Length > lengthMax || text.Contains('\0'))
            ? $"It must have 1 to {lengthMax} characters, none of them U+0000."
            : null;
}
