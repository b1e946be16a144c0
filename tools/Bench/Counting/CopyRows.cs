using System.Security.Cryptography;
using Npgsql;
using NpgsqlTypes;
using Platform;
using Voting;

namespace Bench;

/// <summary>
/// The floor of counting: PostgreSQL's fastest way in. The finished rows of a partition go into its table by one binary
/// COPY, which is one commit; nothing is decoded, judged, tallied or said.
/// </summary>
internal sealed class CopyRows
{
    private readonly (VoteSubmitted Vote, long Offset, byte[] Entry, byte[] Receipt, int[] Options)[] _rows;
    private readonly int _partition;

    public CopyRows(int partition, List<StoredRecord> records, EventMac mac)
    {
        _partition = partition;
        _rows = [.. records.Select(record =>
        {
            var vote = ((VoteRecord.Submitted)VoteRecords.Read(record.Value.Span, mac)).Vote;
            return (vote, record.Offset, SHA256.HashData(record.Value.Span), record.Headers[0].Value.ToArray(),
                vote.Answers.SelectMany(answer => answer.Options).ToArray());
        })];
    }

    public int Count => _rows.Length;

    /// <param name="source">Where the shard lies.</param>
    /// <param name="schema">The shard's.</param>
    /// <param name="batch">Rows of one COPY; null takes all of them.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task RunAsync(NpgsqlDataSource source, string schema, int? batch, CancellationToken cancel)
    {
        await using var connection = await source.OpenConnectionAsync(cancel);
        for (var from = 0; from < _rows.Length; from += batch ?? _rows.Length)
        {
            await using var writer = await connection.BeginBinaryImportAsync($"""
                COPY {schema}.ballots (survey, voter_key, vote_id, partition, "offset", accepted_at, decided_at,
                    options, texts, entry, receipt, idempotency)
                FROM STDIN (FORMAT binary)
                """, cancel);
            for (var i = from; i < Math.Min(from + (batch ?? _rows.Length), _rows.Length); i++)
                await WriteAsync(writer, i, cancel);
            await writer.CompleteAsync(cancel);
        }
    }

    private async Task WriteAsync(NpgsqlBinaryImporter writer, int i, CancellationToken cancel)
    {
        var (vote, offset, entry, receipt, options) = _rows[i];
        await writer.StartRowAsync(cancel);
        await writer.WriteAsync(vote.Survey, NpgsqlDbType.Integer, cancel);
        await writer.WriteAsync(vote.VoterKey.ToBytes(), NpgsqlDbType.Bytea, cancel);
        await writer.WriteAsync(vote.VoteId.ToBytes(), NpgsqlDbType.Bytea, cancel);
        await writer.WriteAsync(_partition, NpgsqlDbType.Integer, cancel);
        await writer.WriteAsync(offset, NpgsqlDbType.Bigint, cancel);
        await writer.WriteAsync(vote.AcceptedAt, NpgsqlDbType.TimestampTz, cancel);
        await writer.WriteAsync(vote.AcceptedAt, NpgsqlDbType.TimestampTz, cancel);
        await writer.WriteAsync(options, NpgsqlDbType.Array | NpgsqlDbType.Integer, cancel);
        await writer.WriteNullAsync(cancel);
        await writer.WriteAsync(entry, NpgsqlDbType.Bytea, cancel);
        await writer.WriteAsync(receipt, NpgsqlDbType.Bytea, cancel);
        await writer.WriteNullAsync(cancel);
    }
}
