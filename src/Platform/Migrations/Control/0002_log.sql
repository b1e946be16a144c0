-- The event log in one database. Offsets are taken under the partition's row lock and become visible with the commit
-- that took them, so whoever sees offset n sees everything below n: a reader cannot pass over a commit in flight, and a
-- commit that fails leaves no gap.

CREATE TABLE platform.log_partitions (
    topic        text COLLATE "C" NOT NULL CHECK (topic ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    partition    integer NOT NULL CHECK (partition BETWEEN 0 AND 1023),
    start_offset bigint NOT NULL DEFAULT 0,
    next_offset  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition),
    CHECK (start_offset BETWEEN 0 AND next_offset)
) WITH (fillfactor = 20); -- every append updates a row: room on its page keeps the update out of the index

-- One row holds what one commit brought to one partition: a few to a few thousand records.
CREATE TABLE platform.log_batches (
    topic        text COLLATE "C" NOT NULL,
    partition    integer NOT NULL,
    first_offset bigint NOT NULL CHECK (first_offset >= 0),
    record_count integer NOT NULL CHECK (record_count > 0),
    appended_at  timestamptz NOT NULL,
    payload      bytea NOT NULL,
    PRIMARY KEY (topic, partition, first_offset)
);

-- Not compressed: that would be done under the partition's lock, by one core, and undone again at each read.
ALTER TABLE platform.log_batches ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE TABLE platform.log_members (
    group_name text COLLATE "C" NOT NULL,
    topic      text COLLATE "C" NOT NULL,
    member     uuid NOT NULL,
    joined_at  timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    leaving    boolean NOT NULL,
    PRIMARY KEY (group_name, topic, member)
) WITH (fillfactor = 20);

CREATE TABLE platform.log_positions (
    group_name  text COLLATE "C" NOT NULL,
    topic       text COLLATE "C" NOT NULL,
    partition   integer NOT NULL,
    owner       uuid,
    epoch       bigint NOT NULL DEFAULT 0,
    next_offset bigint NOT NULL DEFAULT 0 CHECK (next_offset >= 0),
    PRIMARY KEY (group_name, topic, partition),
    FOREIGN KEY (topic, partition) REFERENCES platform.log_partitions
) WITH (fillfactor = 20);

-- Appends one batch to each of several partitions; none is named twice. All or nothing.
CREATE FUNCTION platform.log_append(topics text[], partitions integer[], record_counts integer[], payloads bytea[])
RETURNS TABLE (place integer, first_offset bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    appended integer;
BEGIN
    -- All locks in one order, or two processes that append to the same partitions would deadlock.
    PERFORM 1
      FROM platform.log_partitions AS held
      JOIN unnest(topics, partitions) AS asked (topic, partition)
        ON held.topic = asked.topic AND held.partition = asked.partition
     ORDER BY held.topic, held.partition
       FOR NO KEY UPDATE OF held;

    RETURN QUERY
    WITH taken AS (
        UPDATE platform.log_partitions AS held
           SET next_offset = held.next_offset + asked.record_count
          FROM unnest(topics, partitions, record_counts, payloads)
               WITH ORDINALITY AS asked (topic, partition, record_count, payload, place)
         WHERE held.topic = asked.topic AND held.partition = asked.partition
        RETURNING held.topic, held.partition, held.next_offset - asked.record_count AS first_offset,
                  asked.record_count, asked.payload, asked.place
    ), stored AS (
        INSERT INTO platform.log_batches (topic, partition, first_offset, record_count, appended_at, payload)
        SELECT topic, partition, first_offset, record_count, clock_timestamp(), payload FROM taken
    )
    SELECT taken.place::integer, taken.first_offset FROM taken;

    GET DIAGNOSTICS appended = ROW_COUNT;
    IF appended <> cardinality(topics) THEN
        RAISE EXCEPTION 'One of the % partitions is not there.', cardinality(topics);
    END IF;
END $$;

-- Batches from the one that holds from_offset on, until a limit is reached; always at least one if there is one.
-- The planner's other roads to the same rows read the whole rest of the partition first.
CREATE FUNCTION platform.log_read(
    of_topic text, of_partition integer, from_offset bigint, records_max integer, size_bytes_max bigint)
RETURNS TABLE (first_offset bigint, record_count integer, payload bytea) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    records bigint := 0;
    size_bytes bigint := 0;
BEGIN
    FOR first_offset, record_count, payload IN
        SELECT b.first_offset, b.record_count, b.payload
          FROM platform.log_batches AS b
         WHERE b.topic = of_topic AND b.partition = of_partition
           AND b.first_offset >= coalesce((
               SELECT holding.first_offset
                 FROM platform.log_batches AS holding
                WHERE holding.topic = of_topic AND holding.partition = of_partition
                  AND holding.first_offset <= from_offset
                ORDER BY holding.first_offset DESC
                LIMIT 1), 0)
         ORDER BY b.first_offset
    LOOP
        CONTINUE WHEN first_offset + record_count <= from_offset;
        RETURN NEXT;
        records := records + first_offset + record_count - greatest(first_offset, from_offset);
        size_bytes := size_bytes + octet_length(payload);
        EXIT WHEN records >= records_max OR size_bytes >= size_bytes_max;
    END LOOP;
END $$;

-- One heartbeat of one member: says that it lives, forgets members that do not, gives back what it no longer works on,
-- takes what is free up to the member's fair share, and answers with all that the member owns and with that share.
CREATE FUNCTION platform.log_beat(
    of_group text, of_topic text, me uuid, working_on integer[], session_timeout interval, is_leaving boolean)
RETURNS TABLE (partition integer, epoch bigint, next_offset bigint, share integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    partitions integer;
    members integer;
    before_me integer;
    fair_share integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(of_group || '/' || of_topic, 7231402));

    INSERT INTO platform.log_members AS m (group_name, topic, member, joined_at, seen_at, leaving)
    VALUES (of_group, of_topic, me, clock_timestamp(), clock_timestamp(), is_leaving)
    ON CONFLICT (group_name, topic, member) DO UPDATE SET seen_at = excluded.seen_at, leaving = excluded.leaving;
    DELETE FROM platform.log_members
     WHERE group_name = of_group AND topic = of_topic AND seen_at < clock_timestamp() - session_timeout;

    SELECT count(*) INTO partitions FROM platform.log_partitions WHERE topic = of_topic;
    IF (SELECT count(*) FROM platform.log_positions WHERE group_name = of_group AND topic = of_topic) < partitions THEN
        INSERT INTO platform.log_positions (group_name, topic, partition)
        SELECT of_group, topic, partition FROM platform.log_partitions WHERE topic = of_topic
        ON CONFLICT DO NOTHING;
    END IF;

    -- By the order of joining, so that a newcomer moves as little as can be.
    SELECT count(*), count(*) FILTER (WHERE (m.joined_at, m.member) < (mine.joined_at, mine.member))
      INTO members, before_me
      FROM platform.log_members AS m
      JOIN platform.log_members AS mine ON mine.group_name = of_group AND mine.topic = of_topic AND mine.member = me
     WHERE m.group_name = of_group AND m.topic = of_topic AND NOT m.leaving;
    fair_share := CASE
        WHEN is_leaving THEN 0
        ELSE partitions / members + CASE WHEN before_me < partitions % members THEN 1 ELSE 0 END
    END;

    UPDATE platform.log_positions
       SET owner = NULL
     WHERE group_name = of_group AND topic = of_topic AND partition <> ALL (working_on)
       AND (owner = me OR owner NOT IN (
           SELECT member FROM platform.log_members WHERE group_name = of_group AND topic = of_topic));

    UPDATE platform.log_positions AS p
       SET owner = me, epoch = p.epoch + 1
     WHERE p.group_name = of_group AND p.topic = of_topic AND p.partition IN (
           SELECT partition
             FROM platform.log_positions
            WHERE group_name = of_group AND topic = of_topic AND owner IS NULL AND partition <> ALL (working_on)
            ORDER BY partition
            LIMIT greatest(0, fair_share - (
                  SELECT count(*)
                    FROM platform.log_positions
                   WHERE group_name = of_group AND topic = of_topic AND owner = me)));

    RETURN QUERY
    SELECT p.partition, p.epoch, p.next_offset, fair_share
      FROM platform.log_positions AS p
     WHERE p.group_name = of_group AND p.topic = of_topic AND p.owner = me
     ORDER BY p.partition;
END $$;

-- Drops whole batches from a partition's start while they are older than age; the newest one goes like any other.
CREATE FUNCTION platform.log_trim(of_topic text, of_partition integer, age interval, batches_max integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    new_start bigint;
    dropped integer;
BEGIN
    SELECT max(oldest.first_offset + oldest.record_count)
           FILTER (WHERE oldest.aged)
      INTO new_start
      FROM (SELECT first_offset, record_count,
                   bool_and(appended_at < clock_timestamp() - age) OVER (ORDER BY first_offset) AS aged
              FROM (SELECT first_offset, record_count, appended_at
                      FROM platform.log_batches
                     WHERE topic = of_topic AND partition = of_partition
                     ORDER BY first_offset
                     LIMIT batches_max) AS first_ones) AS oldest;
    IF new_start IS NULL THEN
        RETURN 0;
    END IF;

    UPDATE platform.log_partitions
       SET start_offset = greatest(start_offset, new_start)
     WHERE topic = of_topic AND partition = of_partition;
    DELETE FROM platform.log_batches
     WHERE topic = of_topic AND partition = of_partition AND first_offset < new_start;
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END $$;
