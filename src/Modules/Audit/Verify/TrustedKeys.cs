using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Audit;

/// <summary>Where a log's key comes from: how much a verified signature says.</summary>
internal enum KeyTrust
{
    /// <summary>From whoever runs the verification.</summary>
    Given,

    /// <summary>From an earlier run.</summary>
    Remembered,

    /// <summary>From what is verified itself: it shows that one hand signed everything, not whose.</summary>
    FirstUse,
}

/// <summary>The keys of logs that signatures are checked with. Safe for use by many threads.</summary>
internal sealed class TrustedKeys
{
    private readonly ConcurrentDictionary<string, (KeyTrust Trust, IReadOnlyList<VerifierKey> Keys)> _byOrigin =
        new(StringComparer.Ordinal);

    private readonly bool _isClosed;

    /// <param name="given">Keys that the caller trusts. If there are any, no others are.</param>
    /// <param name="remembered">Keys of earlier runs, by origin; a given key of the same origin wins.</param>
    public TrustedKeys(
        IReadOnlyCollection<VerifierKey> given,
        IEnumerable<(string Origin, IReadOnlyList<VerifierKey> Keys)> remembered)
    {
        _isClosed = given.Count > 0;
        foreach (var (origin, keys) in remembered) _byOrigin[origin] = (KeyTrust.Remembered, keys);
        foreach (var origin in given.Where(key => key.Type is NoteKeyType.Log).GroupBy(key => key.Name))
            _byOrigin[origin.Key] = (KeyTrust.Given, [.. origin]);
        Witnesses = [.. given.Where(key => key.Type is NoteKeyType.Witness)];
    }

    /// <summary>Keys of witnesses among those that were given.</summary>
    public IReadOnlyList<VerifierKey> Witnesses { get; }

    /// <summary>Every key of a log that is known by now.</summary>
    public IEnumerable<(string Origin, KeyTrust Trust, IReadOnlyList<VerifierKey> Keys)> All => _byOrigin
        .OrderBy(pair => pair.Key, StringComparer.Ordinal)
        .Select(pair => (pair.Key, pair.Value.Trust, pair.Value.Keys));

    /// <summary>Whether a log's signature can be checked.</summary>
    public bool TryFind(string origin, [NotNullWhen(true)] out IReadOnlyList<VerifierKey>? keys)
    {
        keys = _byOrigin.TryGetValue(origin, out var found) ? found.Keys : null;
        return keys is not null;
    }

    /// <summary>
    /// Takes a key at its word where nothing is known of its log. All logs of a platform have one origin but for their
    /// names: a log of which another origin is known, or one beside logs of other origins, is none of them.
    /// </summary>
    /// <returns>
    /// Whether a key of the origin is known by now; false when the caller has given keys, and none of this log.
    /// </returns>
    public bool TryTrustFirst(string origin, VerifierKey key)
    {
        lock (_byOrigin)
        {
            if (_byOrigin.ContainsKey(origin)) return true;
            var name = LogName.Of(origin);
            var platform = origin[..^name.Length];
            return !_isClosed
                && _byOrigin.Keys.All(known => LogName.Of(known) != name && known == $"{platform}{LogName.Of(known)}")
                && _byOrigin.TryAdd(origin, (KeyTrust.FirstUse, [key]));
        }
    }
}
