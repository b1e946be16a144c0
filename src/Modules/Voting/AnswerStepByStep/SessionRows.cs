using Npgsql;
using Platform;

namespace Voting;

/// <summary>Reads sessions from a shard's tables.</summary>
internal static class SessionRows
{
    /// <returns>By the places' order; null where there is no session.</returns>
    public static async Task<Session?[]> ReadAsync(ModuleShard shard, IReadOnlyList<SessionPlace> places)
    {
        await using var query = shard.Source.CreateCommand($"""
            SELECT voter.place, session.initialized_at, session.revision, session.superseded_by,
                ARRAY(SELECT answer.question FROM {shard.Schema}.session_answers AS answer
                    WHERE answer.survey = session.survey AND answer.voter_key = session.voter_key
                    ORDER BY answer.question, answer.option),
                ARRAY(SELECT answer.option FROM {shard.Schema}.session_answers AS answer
                    WHERE answer.survey = session.survey AND answer.voter_key = session.voter_key
                    ORDER BY answer.question, answer.option),
                ARRAY(SELECT words.question FROM {shard.Schema}.session_texts AS words
                    WHERE words.survey = session.survey AND words.voter_key = session.voter_key
                    ORDER BY words.question),
                ARRAY(SELECT words.text FROM {shard.Schema}.session_texts AS words
                    WHERE words.survey = session.survey AND words.voter_key = session.voter_key
                    ORDER BY words.question),
                session.finished_at, session.vote_id, session.entry, session.receipt
            FROM unnest($1, $2) WITH ORDINALITY AS voter (survey, voter_key, place)
            JOIN {shard.Schema}.sessions AS session USING (survey, voter_key)
            """);
        query.Parameters.Add(new() { Value = places.Select(one => one.Survey).ToArray() });
        query.Parameters.Add(new() { Value = places.Select(one => one.VoterKey.ToBytes()).ToArray() });
        var found = new Session?[places.Count];
        await using var rows = await query.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            var index = (int)rows.GetInt64(0) - 1;
            // Of the frozen vote only survey and voter are known beforehand; the rest stands in the row.
            var known = new Reservation(
                places[index].Survey, places[index].VoterKey, default, default, [], [], null);
            found[index] = new(
                rows.GetFieldValue<DateTimeOffset>(1), rows.GetInt64(2),
                Answers(
                    rows.GetFieldValue<int[]>(4), rows.GetFieldValue<int[]>(5),
                    rows.GetFieldValue<int[]>(6), rows.GetFieldValue<string[]>(7)),
                Frozen(rows, 8, known), Key(rows, 3));
        }

        return found;
    }

    /// <summary>Reads the four columns of a frozen vote.</summary>
    /// <param name="rows">At the session's row.</param>
    /// <param name="first">The first column of the four.</param>
    /// <param name="known">What does not stand in them.</param>
    /// <returns>Null when nothing is frozen.</returns>
    public static Reservation? Frozen(NpgsqlDataReader rows, int first, Reservation known) => rows.IsDBNull(first)
        ? null
        : known with
        {
            AcceptedAt = rows.GetFieldValue<DateTimeOffset>(first),
            VoteId = Key16.Of(rows.GetFieldValue<byte[]>(first + 1)),
            Entry = rows.GetFieldValue<byte[]>(first + 2),
            Receipt = rows.GetFieldValue<byte[]>(first + 3),
        };

    public static Key16? Key(NpgsqlDataReader rows, int column) =>
        rows.IsDBNull(column) ? null : Key16.Of(rows.GetFieldValue<byte[]>(column));

    private static List<Answer> Answers(int[] questions, int[] options, int[] textQuestions, string[] texts)
    {
        var words = textQuestions.Zip(texts).ToDictionary(pair => pair.First, pair => pair.Second);
        return [.. questions.Zip(options).GroupBy(pair => pair.First).Select(answer => new Answer(
            answer.Key, [.. answer.Select(pair => pair.Second).Where(option => option > 0)],
            words.GetValueOrDefault(answer.Key)))];
    }
}

/// <summary>
/// Items of one batch, sorted by session, so that no two batches wait for each other; those of one session keep their
/// order.
/// </summary>
internal sealed class SessionBatch<TItem>
{
    private readonly IReadOnlyList<TItem> _items;
    private readonly Func<TItem, SessionPlace> _place;

    public SessionBatch(IReadOnlyList<TItem> items, Func<TItem, SessionPlace> place)
    {
        (_items, _place) = (items, place);
        Order = [.. Enumerable.Range(0, items.Count).OrderBy(i => place(items[i]).Survey)
            .ThenBy(i => place(items[i]).VoterKey).ThenBy(i => i)];
    }

    /// <summary>The items' own indices in the batch's order.</summary>
    public int[] Order { get; }

    public int[] Surveys => Column(item => _place(item).Survey);

    public byte[][] VoterKeys => Column(item => _place(item).VoterKey.ToBytes());

    public T[] Column<T>(Func<TItem, T> value) => Array.ConvertAll(Order, i => value(_items[i]));
}
