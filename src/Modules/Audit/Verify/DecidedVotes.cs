using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Audit;

/// <summary>One decided record: what the rule of one vote a voter is checked by. 48 bytes.</summary>
internal readonly record struct DecidedVote(
    UInt128 VoterKey, ulong VoteId, long Index, int Survey, int Partition, VoteOutcomeKind Kind, RefusalReason Reason,
    bool IsReplayedAgain);

/// <summary>
/// All decided records of an election, of all partitions: finds voters of whom two votes were counted, and refusals
/// that name a vote which is not there.
/// </summary>
/// <remarks>
/// Memory is bounded: records are spread over 256 parts by their voter key, and what a part cannot keep goes to a
/// temporary file, 48 bytes a record; one part at a time is read back and sorted. Adding is safe from many threads.
/// </remarks>
internal sealed class DecidedVotes(string directory) : IDisposable
{
    private const int PartCount = 256;

    // 24 MiB over all parts: an election of half a million votes needs no file.
    private const int KeptCountMax = 2048;

    private readonly Part?[] _parts = new Part?[PartCount];

    public void Add(in DecidedVote vote)
    {
        var number = (int)(vote.VoterKey >> 120);
        var part = Volatile.Read(ref _parts[number]) ?? Make(number);
        lock (part) part.Add(vote, directory);
    }

    /// <summary>Looks through everything that was added.</summary>
    /// <returns>By survey, partition and entry, every vote that must not be.</returns>
    public List<(DecidedVote Vote, string Problem, string Detail)> Check(CancellationToken cancel)
    {
        var found = new List<(DecidedVote Vote, string Problem, string Detail)>();
        foreach (var part in _parts)
        {
            cancel.ThrowIfCancellationRequested();
            if (part is not null) Check(part.Take(), found);
        }

        return [.. found.OrderBy(one => one.Vote.Partition).ThenBy(one => one.Vote.Index)];
    }

    public void Dispose()
    {
        foreach (var part in _parts) part?.Dispose();
    }

    private Part Make(int number)
    {
        lock (_parts) return _parts[number] ??= new();
    }

    private static void Check(DecidedVote[] votes, List<(DecidedVote, string, string)> found)
    {
        // Random already: half a key orders all but a handful, and equal halves are told apart within their group.
        var halves = Array.ConvertAll(votes, vote => (ulong)vote.VoterKey);
        Array.Sort(halves, votes);
        for (int first = 0, end; first < votes.Length; first = end)
        {
            end = first + 1;
            while (end < votes.Length && halves[end] == halves[first]) end++;
            if (end - first == 1) CheckAlone(votes[first], found);
            else CheckGroup(votes.AsSpan(first, end - first), found);
        }
    }

    private static void CheckAlone(in DecidedVote vote, List<(DecidedVote, string, string)> found)
    {
        if (Claims(vote)) found.Add((vote, Problems.Outcome, Nothing(vote)));
    }

    private static void CheckGroup(Span<DecidedVote> group, List<(DecidedVote, string, string)> found)
    {
        group.Sort((one, other) => (one.VoterKey, one.Survey, one.Partition, one.Index)
            .CompareTo((other.VoterKey, other.Survey, other.Partition, other.Index)));
        for (int first = 0, end; first < group.Length; first = end)
        {
            end = first + 1;
            while (end < group.Length && group[end].VoterKey == group[first].VoterKey
                && group[end].Survey == group[first].Survey)
            {
                end++;
            }

            CheckVoter(group[first..end], found);
        }
    }

    /// <summary>All records of one voter in one survey, in the order of their entries.</summary>
    private static void CheckVoter(ReadOnlySpan<DecidedVote> votes, List<(DecidedVote, string, string)> found)
    {
        var standing = -1;
        for (var i = 0; i < votes.Length; i++)
        {
            ref readonly var vote = ref votes[i];
            if (vote.Kind is VoteOutcomeKind.Counted or VoteOutcomeKind.Held)
            {
                if (standing >= 0)
                {
                    found.Add((vote, Problems.CountedTwice, "A vote of the same voter in the same survey counts "
                        + $"already, by entry {votes[standing].Index} of partition {votes[standing].Partition}."));
                }
                else
                {
                    standing = i;
                }
            }
            else if (Claims(vote))
            {
                if (standing < 0)
                    found.Add((vote, Problems.Outcome, Nothing(vote)));
                else if ((votes[standing].VoteId == vote.VoteId) != (vote.Kind is VoteOutcomeKind.Repeated))
                    found.Add((vote, Problems.Outcome, "Another vote is called repeated, or the same a duplicate."));
            }
        }
    }

    /// <summary>Whether the outcome says that an earlier vote of the voter stands.</summary>
    private static bool Claims(in DecidedVote vote) =>
        (vote.Kind is VoteOutcomeKind.Repeated && !vote.IsReplayedAgain)
        || (vote.Kind is VoteOutcomeKind.Rejected && vote.Reason is RefusalReason.Duplicate);

    private static string Nothing(in DecidedVote vote) => vote.Kind is VoteOutcomeKind.Repeated
        ? "The vote is said to be repeated, and no earlier one of the voter is counted."
        : "The vote is refused as a duplicate, and no other vote of the voter is counted.";

    private sealed class Part : IDisposable
    {
        private readonly List<DecidedVote> _kept = [];
        private FileStream? _file;

        public void Add(in DecidedVote vote, string directory)
        {
            _kept.Add(vote);
            if (_kept.Count < KeptCountMax) return;
            _file ??= Make(Path.Combine(directory, $"voting-verify-{Guid.NewGuid():N}"));
            _file.Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_kept)));
            _kept.Clear();
        }

        /// <returns>Everything, once.</returns>
        public DecidedVote[] Take()
        {
            var inFile = (int)((_file?.Length ?? 0) / Unsafe.SizeOf<DecidedVote>());
            var all = new DecidedVote[inFile + _kept.Count];
            if (_file is not null)
            {
                _file.Position = 0;
                _file.ReadExactly(MemoryMarshal.AsBytes(all.AsSpan(0, inFile)));
            }

            _kept.CopyTo(all, inFile);
            _kept.Clear();
            return all;
        }

        public void Dispose() => _file?.Dispose();

        private static FileStream Make(string path)
        {
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                BufferSize = 0,
                Options = FileOptions.DeleteOnClose,
            };
            // Voter keys are pseudonyms: nobody else's business.
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            return new(path, options);
        }
    }
}
