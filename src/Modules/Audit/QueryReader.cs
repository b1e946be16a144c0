using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Platform;

namespace Audit;

/// <summary>Reads an address's parameters strictly: a filter with a typing error must not find everything.</summary>
internal sealed class QueryReader
{
    private const int LimitDefault = 20;
    private const int LimitMax = 100;

    private readonly IQueryCollection _query;
    private readonly Dictionary<string, string[]> _faults = [];

    private QueryReader(IQueryCollection query) => _query = query;

    /// <summary>Takes one value from a text.</summary>
    public delegate bool Parser<T>(string text, [NotNullWhen(true)] out T value);

    /// <param name="query">As it came.</param>
    /// <param name="names">The parameters that there are; every other one is a fault.</param>
    public static QueryReader Of(IQueryCollection query, params IReadOnlyCollection<string> names)
    {
        var reader = new QueryReader(query);
        foreach (var name in query.Keys.Where(name => !names.Contains(name)).Take(10))
            reader._faults[name.Length <= 40 ? name : name[..40]] = ["There is no such parameter."];
        return reader;
    }

    /// <returns>How many a page holds.</returns>
    public int Limit() => Value("limit", $"This is 1 to {LimitMax}.", (string text, out int limit) =>
        JsonBody.TryParseId(text, out limit) && limit <= LimitMax) is { } given and > 0 ? given : LimitDefault;

    /// <returns>Where the page begins; null at the first one.</returns>
    public T? Cursor<T>(Parser<T> parse)
        where T : class => Reference("cursor", "This is no cursor that was given out here.", parse);

    /// <returns>A moment; null if none was given.</returns>
    public DateTimeOffset? Moment(string name) => Optional(
        name, "This is a time such as 2026-01-15T10:30:00Z.", (string text, out DateTimeOffset at) =>
        {
            at = default;
            return text.Length <= 40 && text.EndsWith('Z') && DateTimeOffset.TryParseExact(
                text, ["yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'"], CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out at);
        });

    /// <returns>A value; null if none was given or it is wrong.</returns>
    public T? Optional<T>(string name, string fault, Parser<T> parse)
        where T : struct => Value(name, fault, parse);

    /// <inheritdoc cref="Optional"/>
    public T? Reference<T>(string name, string fault, Parser<T> parse)
        where T : class
    {
        if (!TryText(name, out var text)) return null;
        if (text is not null && parse(text, out var value)) return value;
        _faults[name] = [fault];
        return null;
    }

    /// <summary>Adds a fault that concerns several parameters together.</summary>
    public void Refuse(string name, string fault) => _faults[name] = [fault];

    /// <exception cref="MalformedRequestException">Something was wrong; says what.</exception>
    public void RefuseFaults()
    {
        if (_faults.Count > 0)
            throw new MalformedRequestException(Problem.MalformedRequest, "The query is malformed.", _faults);
    }

    private T? Value<T>(string name, string fault, Parser<T> parse)
        where T : struct
    {
        if (!TryText(name, out var text)) return null;
        if (text is not null && parse(text, out var value)) return value;
        _faults[name] = [fault];
        return null;
    }

    /// <returns>False if it is not there; a null text if it is there several times.</returns>
    private bool TryText(string name, out string? text)
    {
        text = null;
        if (!_query.TryGetValue(name, out var values)) return false;
        text = values.Count == 1 ? values[0] : null;
        return true;
    }
}
