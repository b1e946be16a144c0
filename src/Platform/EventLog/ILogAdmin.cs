namespace Platform;

/// <summary>Sets an installation's log up, keeps it going, and looks at whether it keeps what it promises.</summary>
public interface ILogAdmin
{
    /// <summary>
    /// Keeps this process's log going until told to stop; without it nothing is appended. Called once. Outlives outages
    /// of what the log is kept in.
    /// </summary>
    Task RunAsync(CancellationToken stop);

    /// <summary>Creates the registered topics that are not there yet. Safe to repeat.</summary>
    /// <returns>How many were created.</returns>
    /// <exception cref="LogNotReadyException">One exists with another number of partitions; nothing was
    /// created.</exception>
    Task<int> EnsureTopicsAsync(CancellationToken cancel);

    /// <summary>Compares the log with what this version expects of it; changes nothing.</summary>
    /// <returns>Every difference, one sentence each; empty when there is none.</returns>
    Task<IReadOnlyList<string>> DifferencesAsync(CancellationToken cancel);

    /// <summary>What has to hold before a process may use the log: all topics, with their partitions.</summary>
    /// <exception cref="LogNotReadyException">A topic is missing or has another number of partitions.</exception>
    Task RequireTopicsAsync(CancellationToken cancel);
}

/// <summary>The log cannot be used as it is. The message is one line that says what to do.</summary>
public sealed class LogNotReadyException(string message, Exception? inner = null)
    : InvalidOperationException(message, inner);
