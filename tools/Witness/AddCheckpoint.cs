namespace Witness;

/// <summary>An answer of the witness.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Body">For 200 the signature line; for 409 the size that was signed last; else what is wrong.</param>
internal sealed record Answer(int Status, string Body);

/// <summary>Signs a checkpoint if it is consistent with the one that was signed last.</summary>
internal sealed class AddCheckpoint(Ledger ledger, IReadOnlyList<LogKey> logs, WitnessKey key, TimeProvider clock)
{
    private const int ProofLinesMax = 63;

    /// <summary>Answers 200 only once the checkpoint would survive a power cut.</summary>
    public async Task<Answer> HandleAsync(ReadOnlyMemory<byte> body, CancellationToken cancel)
    {
        if (Parse(body.Span) is not var (oldSize, proof, note, verbatim))
            return new(400, "This is no request to add a checkpoint.\n");
        if (ledger[note.Origin] is not { } page) return new(404, "This witness does not know the log.\n");

        var verdicts = logs.Where(log => log.Name == note.Origin).Select(log => log.Signed(note)).ToArray();
        if (verdicts.Contains(false) || !verdicts.Contains(true)) return new(403, "The log did not sign this.\n");
        if (oldSize > note.Size) return new(400, "The old tree is larger than the new one.\n");

        await page.Lock.WaitAsync(cancel);
        try
        {
            var (knownSize, knownRoot) = page.Newest is { } newest ? (newest.Size, newest.Root) : (0, []);
            if (oldSize != knownSize) return new(409, $"{knownSize}\n");
            // Two trees of one size: whatever the proof says, one of them may not be signed.
            if (page.Newest is not null && oldSize == note.Size && !knownRoot.AsSpan().SequenceEqual(note.Root))
                return new(409, $"{knownSize}\n");
            if (!Consistency.Holds(oldSize, knownRoot, note.Size, note.Root, proof))
                return new(422, "The proof does not show that the log only grew.\n");

            ledger.Remember(page, note, verbatim);
            return new(200, key.Sign(note.Text, clock.GetUtcNow()));
        }
        finally
        {
            page.Lock.Release();
        }
    }

    private static (long OldSize, byte[][] Proof, Note Note, string Verbatim)? Parse(ReadOnlySpan<byte> body)
    {
        const string old = "old ";
        if (Note.Decode(body) is not { } text) return null;
        var end = text.IndexOf("\n\n", StringComparison.Ordinal);
        if (end < 0 || !text.StartsWith(old, StringComparison.Ordinal)) return null;
        var lines = text[old.Length..end].Split('\n');
        var proof = lines[1..].Select(Note.ParseBase64).OfType<byte[]>().Where(hash => hash.Length == 32).ToArray();
        if (proof.Length != lines.Length - 1 || proof.Length > ProofLinesMax) return null;

        var verbatim = text[(end + 2)..];
        return Note.ParseNumber(lines[0]) is { } oldSize && Note.Parse(verbatim) is { } note
            ? (oldSize, proof, note, verbatim)
            : null;
    }
}
