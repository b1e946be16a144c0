namespace Platform;

/// <summary>What a process runs. Several at once are a combination.</summary>
[Flags]
public enum Role
{
    /// <summary>Nothing: not a valid choice.</summary>
    None = 0,

    /// <summary>Public REST: sign-in, surveys, casting, results snapshot.</summary>
    Api = 1,

    /// <summary>Counting, closing, relays.</summary>
    Consumer = 2,

    /// <summary>Live results.</summary>
    Sse = 4,

    /// <summary>Archive, transparency logs, proofs.</summary>
    Audit = 8,

    /// <summary>Staff endpoints, on the internal port.</summary>
    Backoffice = 16,

    /// <summary>Every role in one process; the only one that may run on embedded defaults.</summary>
    All = Api | Consumer | Sse | Audit | Backoffice,
}
