-- Ballots that are given answer by answer. A session's row is the lock under which its answers change, as long as it
-- has no finish. Its id is derived from the voter key, so it stands nowhere.
CREATE TABLE $schema$.sessions (
    survey         integer     NOT NULL,
    voter_key      bytea       NOT NULL CHECK (octet_length(voter_key) = 16),
    initialized_at timestamptz NOT NULL,
    -- Grows with every change of the answers: what the finish freezes is what it has read.
    revision       bigint      NOT NULL DEFAULT 0,
    -- The frozen vote: when, as what, and what its receipt says. Appending it again gives the same bytes.
    finished_at    timestamptz,
    vote_id        bytea       CHECK (octet_length(vote_id) = 16),
    entry          bytea       CHECK (octet_length(entry) = 32),
    receipt        bytea,
    -- The vote that was there before the frozen one.
    superseded_by  bytea       CHECK (octet_length(superseded_by) = 16),
    PRIMARY KEY (survey, voter_key),
    CHECK (num_nonnulls(finished_at, vote_id, entry, receipt) IN (0, 4)),
    CHECK (superseded_by IS NULL OR finished_at IS NOT NULL)
) WITH (fillfactor = 80);

-- One row for each chosen option; option 0 is an answer in words alone. The id is what the voter takes it back by.
CREATE TABLE $schema$.session_answers (
    survey    integer NOT NULL,
    voter_key bytea   NOT NULL,
    question  integer NOT NULL,
    option    integer NOT NULL CHECK (option >= 0),
    id        bytea   NOT NULL CHECK (octet_length(id) = 16),
    PRIMARY KEY (survey, voter_key, question, option),
    FOREIGN KEY (survey, voter_key) REFERENCES $schema$.sessions
);

-- The last words to each question. They go with the last answer to it.
CREATE TABLE $schema$.session_texts (
    survey    integer NOT NULL,
    voter_key bytea   NOT NULL,
    question  integer NOT NULL,
    text      text    NOT NULL CHECK (text <> ''),
    PRIMARY KEY (survey, voter_key, question),
    FOREIGN KEY (survey, voter_key) REFERENCES $schema$.sessions
);

-- Idempotency keys that came with answers, the newest 500 of a session: what was asked (a digest) and what the first
-- answer held that the repeated request does not say itself.
CREATE TABLE $schema$.session_keys (
    survey    integer NOT NULL,
    voter_key bytea   NOT NULL,
    place     integer NOT NULL,
    key       bytea   NOT NULL CHECK (octet_length(key) = 16),
    request   bytea   NOT NULL CHECK (octet_length(request) = 16),
    answer    bytea   NOT NULL CHECK (octet_length(answer) = 16),
    text      text    NOT NULL,
    PRIMARY KEY (survey, voter_key, place),
    FOREIGN KEY (survey, voter_key) REFERENCES $schema$.sessions
);

-- Adds answers, one outcome for each and in their order. The caller sorts them by survey and voter, or two batches
-- could wait for each other. No row at all: the caller's map is of another epoch, and nothing was done.
-- Its path is the shard's schema, in which this script runs, so that the same names mean the same tables at every call.
--   opens: the survey takes answers; begins: a session may be begun; options: 0 is none; texts: null leaves what is
--   there.
CREATE FUNCTION $schema$.choose(
    map_epoch integer, asked_at timestamptz, surveys integer[], voters bytea[], opens boolean[], begins boolean[],
    questions integer[], options integer[], maxima integer[], texts text[], keys bytea[], requests bytea[])
RETURNS TABLE (outcome text, answer_id bytea, said text, begun_at timestamptz)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    held $schema$.sessions;
    known $schema$.session_keys;
BEGIN
    IF (SELECT epoch FROM $schema$.shard) IS DISTINCT FROM map_epoch THEN RETURN; END IF;
    FOR i IN 1 .. cardinality(surveys) LOOP
        SELECT s.* INTO held FROM $schema$.sessions s
        WHERE s.survey = surveys[i] AND s.voter_key = voters[i] FOR UPDATE;
        IF NOT FOUND AND opens[i] AND begins[i] THEN
            INSERT INTO $schema$.sessions (survey, voter_key, initialized_at) VALUES (surveys[i], voters[i], asked_at)
            ON CONFLICT DO NOTHING;
            SELECT s.* INTO held FROM $schema$.sessions s
            WHERE s.survey = surveys[i] AND s.voter_key = voters[i] FOR UPDATE;
        END IF;

        SELECT k.* INTO known FROM $schema$.session_keys k
        WHERE k.survey = surveys[i] AND k.voter_key = voters[i] AND k.key = keys[i];
        answer_id := NULL;
        said := NULL;
        begun_at := held.initialized_at;
        IF known.request = requests[i] THEN
            outcome := 'remembered';
            answer_id := known.answer;
            said := known.text;
        ELSIF known.key IS NOT NULL THEN outcome := 'reused';
        ELSIF NOT opens[i] THEN outcome := 'closed';
        ELSIF held.survey IS NULL THEN outcome := 'missing';
        ELSIF held.finished_at IS NOT NULL THEN outcome := 'finished';
        ELSE
            SELECT a.id INTO answer_id FROM $schema$.session_answers a
            WHERE a.survey = surveys[i] AND a.voter_key = voters[i] AND a.question = questions[i]
                AND a.option = options[i];
            IF answer_id IS NOT NULL THEN outcome := 'repeated';
            ELSIF options[i] > 0 AND maxima[i] <= (
                SELECT count(*) FROM $schema$.session_answers a
                WHERE a.survey = surveys[i] AND a.voter_key = voters[i] AND a.question = questions[i] AND a.option > 0)
            THEN outcome := 'full';
            ELSE
                INSERT INTO $schema$.session_answers AS a (survey, voter_key, question, option, id)
                VALUES (surveys[i], voters[i], questions[i], options[i], uuid_send(gen_random_uuid()))
                RETURNING a.id INTO answer_id;
                outcome := 'added';
            END IF;
        END IF;

        IF outcome IN ('added', 'repeated') THEN
            IF texts[i] = '' THEN
                DELETE FROM $schema$.session_texts t
                WHERE t.survey = surveys[i] AND t.voter_key = voters[i] AND t.question = questions[i];
            ELSIF texts[i] IS NOT NULL THEN
                INSERT INTO $schema$.session_texts (survey, voter_key, question, text)
                VALUES (surveys[i], voters[i], questions[i], texts[i])
                ON CONFLICT (survey, voter_key, question) DO UPDATE SET text = excluded.text;
            END IF;
            said := coalesce((
                SELECT t.text FROM $schema$.session_texts t
                WHERE t.survey = surveys[i] AND t.voter_key = voters[i] AND t.question = questions[i]), '');
            IF outcome = 'added' OR texts[i] IS NOT NULL THEN
                UPDATE $schema$.sessions s SET revision = s.revision + 1
                WHERE s.survey = surveys[i] AND s.voter_key = voters[i] AND s.finished_at IS NULL;
            END IF;
            IF keys[i] IS NOT NULL THEN
                INSERT INTO $schema$.session_keys AS k (survey, voter_key, place, key, request, answer, text)
                SELECT surveys[i], voters[i], coalesce(max(before.place), 0) + 1, keys[i], requests[i], answer_id, said
                FROM $schema$.session_keys before WHERE before.survey = surveys[i] AND before.voter_key = voters[i]
                RETURNING k.* INTO known;
                DELETE FROM $schema$.session_keys k
                WHERE k.survey = surveys[i] AND k.voter_key = voters[i] AND k.place <= known.place - 500;
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

-- Takes answers back: outcomes, order and epoch as above.
CREATE FUNCTION $schema$.take_back(
    map_epoch integer, surveys integer[], voters bytea[], opens boolean[], answers bytea[])
RETURNS TABLE (outcome text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    held $schema$.sessions;
    taken $schema$.session_answers;
BEGIN
    IF (SELECT epoch FROM $schema$.shard) IS DISTINCT FROM map_epoch THEN RETURN; END IF;
    FOR i IN 1 .. cardinality(surveys) LOOP
        SELECT s.* INTO held FROM $schema$.sessions s
        WHERE s.survey = surveys[i] AND s.voter_key = voters[i] FOR UPDATE;
        IF NOT FOUND THEN outcome := 'missing';
        ELSIF held.finished_at IS NOT NULL THEN outcome := 'finished';
        ELSIF NOT opens[i] THEN outcome := 'closed';
        ELSE
            DELETE FROM $schema$.session_answers a
            WHERE a.survey = surveys[i] AND a.voter_key = voters[i] AND a.id = answers[i]
            RETURNING a.* INTO taken;
            outcome := CASE WHEN FOUND THEN 'taken' ELSE 'missing' END;
        END IF;

        IF outcome = 'taken' THEN
            DELETE FROM $schema$.session_texts t
            WHERE t.survey = surveys[i] AND t.voter_key = voters[i] AND t.question = taken.question
                AND (taken.option = 0 OR NOT EXISTS (
                    SELECT FROM $schema$.session_answers a
                    WHERE a.survey = surveys[i] AND a.voter_key = voters[i] AND a.question = taken.question));
            UPDATE $schema$.sessions s SET revision = s.revision + 1
            WHERE s.survey = surveys[i] AND s.voter_key = voters[i] AND s.finished_at IS NULL;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

-- Freezes sessions that still are as they were read, and answers with what is frozen then, by this call or an earlier
-- one: nulls where the answers have changed. Order and epoch as above.
CREATE FUNCTION $schema$.freeze(
    map_epoch integer, surveys integer[], voters bytea[], revisions bigint[], moments timestamptz[], votes bytea[],
    entries bytea[], receipts bytea[])
RETURNS TABLE (frozen_at timestamptz, frozen_vote bytea, frozen_entry bytea, frozen_receipt bytea)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF (SELECT epoch FROM $schema$.shard) IS DISTINCT FROM map_epoch THEN RETURN; END IF;
    FOR i IN 1 .. cardinality(surveys) LOOP
        UPDATE $schema$.sessions s
        SET finished_at = moments[i], vote_id = votes[i], entry = entries[i], receipt = receipts[i]
        WHERE s.survey = surveys[i] AND s.voter_key = voters[i] AND s.finished_at IS NULL AND s.revision = revisions[i];
        SELECT s.finished_at, s.vote_id, s.entry, s.receipt INTO frozen_at, frozen_vote, frozen_entry, frozen_receipt
        FROM $schema$.sessions s WHERE s.survey = surveys[i] AND s.voter_key = voters[i];
        RETURN NEXT;
    END LOOP;
END $$;
