-- How far each transparency log is sealed. The row is the truth: where a log's sources are read on, what its tree is,
-- what is being sealed. Every writer names the version that it read, so of two only one goes on.
CREATE TABLE audit.heads (
    log text COLLATE "C" PRIMARY KEY CHECK (log ~ '^[a-z]+(-[0-9]{2,4})?$'),
    version bigint NOT NULL DEFAULT 0,
    -- The newest checkpoint's number, 0 before the first, and what it says of the log.
    checkpoint bigint NOT NULL DEFAULT 0 CHECK (checkpoint BETWEEN 0 AND 9999999999),
    size bigint NOT NULL DEFAULT 0 CHECK (size >= checkpoint),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    last_hash bytea NOT NULL CHECK (octet_length(last_hash) = 32),
    frontier bytea NOT NULL CHECK (octet_length(frontier) >= 8),
    -- By source, such as "votes-7": the next offset to be sealed.
    offsets jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(offsets) = 'object'),
    sealed_at timestamptz,
    -- checkpoint.json, signed: its bytes are put into the archive, and again after a crash.
    document bytea,
    checkpoint_digest bytea CHECK (octet_length(checkpoint_digest) = 32),
    -- What the next checkpoint will hold: number, time and ranges of offsets. Kept until it is sealed, so that a
    -- restart seals the same.
    intent jsonb CHECK (jsonb_typeof(intent) = 'object'),
    -- The newest checkpoint that the archive is known to hold, and its signed note: what is shown to everybody.
    published bigint NOT NULL DEFAULT 0 CHECK (published BETWEEN 0 AND checkpoint),
    note text,
    CHECK (num_nulls(sealed_at, document, checkpoint_digest) = CASE checkpoint WHEN 0 THEN 3 ELSE 0 END),
    CHECK ((note IS NULL) = (published = 0))
) WITH (fillfactor = 20);

ALTER TABLE audit.heads ALTER COLUMN document SET STORAGE EXTERNAL;

-- Where the entries of each checkpoint are archived.
CREATE TABLE audit.segments (
    log text COLLATE "C" NOT NULL REFERENCES audit.heads,
    checkpoint bigint NOT NULL CHECK (checkpoint > 0),
    first_index bigint NOT NULL CHECK (first_index >= 0),
    entries integer NOT NULL CHECK (entries > 0),
    object_key text NOT NULL,
    version_id text NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    -- The checkpoint's signed note as it was first published: an entry of the log of logs.
    note text NOT NULL,
    sealed_at timestamptz NOT NULL,
    PRIMARY KEY (log, checkpoint),
    UNIQUE (log, first_index)
);

-- Which records of a source each checkpoint holds: an entry is found by its record's offset. Without gaps between
-- offsets, entry = first_index + offset - first_offset.
CREATE TABLE audit.ranges (
    log text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    first_offset bigint NOT NULL CHECK (first_offset >= 0),
    next_offset bigint NOT NULL CHECK (next_offset > first_offset),
    first_index bigint NOT NULL CHECK (first_index >= 0),
    entries integer NOT NULL CHECK (entries > 0),
    checkpoint bigint NOT NULL,
    PRIMARY KEY (log, source, first_offset),
    FOREIGN KEY (log, checkpoint) REFERENCES audit.segments
);

-- Hashes of the tree as they stand in its tiles, 256 a row, the last one of a level growing. Level -1 holds the entries
-- themselves; level 0, the hashes of leaves, follows from them and is not stored.
CREATE TABLE audit.tiles (
    log text COLLATE "C" NOT NULL,
    level smallint NOT NULL CHECK (level BETWEEN -1 AND 7 AND level <> 0),
    index bigint NOT NULL CHECK (index >= 0),
    hashes bytea NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0),
    PRIMARY KEY (log, level, index)
);

-- Hashes do not compress; trying takes time.
ALTER TABLE audit.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
