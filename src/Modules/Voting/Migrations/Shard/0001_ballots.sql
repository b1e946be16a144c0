-- The shard map's epoch: a process with an older map must not write here.
CREATE TABLE $schema$.shard (epoch integer NOT NULL CHECK (epoch > 0));
INSERT INTO $schema$.shard VALUES ($epoch$);

-- How far each partition of votes is counted. Its row is the lock that makes one of two counters do nothing.
CREATE TABLE $schema$.positions (
    partition   integer PRIMARY KEY,
    next_offset bigint  NOT NULL DEFAULT 0 CHECK (next_offset >= 0)
);
INSERT INTO $schema$.positions (partition) SELECT generate_series($partition_first$, $partition_last$);

-- Counted ballots. The primary key is what makes one vote a voter and survey true, whatever raced before it.
CREATE TABLE $schema$.ballots (
    survey      integer     NOT NULL,
    voter_key   bytea       NOT NULL CHECK (octet_length(voter_key) = 16),
    vote_id     bytea       NOT NULL CHECK (octet_length(vote_id) = 16),
    partition   integer     NOT NULL,
    "offset"    bigint      NOT NULL,
    accepted_at timestamptz NOT NULL,
    decided_at  timestamptz NOT NULL,
    options     integer[]   NOT NULL,
    texts       jsonb,
    entry       bytea       NOT NULL CHECK (octet_length(entry) = 32),
    receipt     bytea       NOT NULL,
    idempotency bytea       CHECK (octet_length(idempotency) = 16),
    PRIMARY KEY (survey, voter_key)
);
-- Outcomes are said again by offset after a restart.
CREATE UNIQUE INDEX ballots_by_offset ON $schema$.ballots (partition, "offset");

-- Submitted votes that are not in the result, each with its reason: nothing is ever silently dropped.
CREATE TABLE $schema$.refused (
    partition   integer     NOT NULL,
    "offset"    bigint      NOT NULL,
    kind        smallint    NOT NULL CHECK (kind IN (3, 4)),
    reason      text        CHECK ((kind = 3) = (reason IS NOT NULL)),
    survey      integer     NOT NULL,
    voter_key   bytea       NOT NULL CHECK (octet_length(voter_key) = 16),
    vote_id     bytea       NOT NULL CHECK (octet_length(vote_id) = 16),
    accepted_at timestamptz NOT NULL,
    decided_at  timestamptz NOT NULL,
    entry       bytea       NOT NULL CHECK (octet_length(entry) = 32),
    receipt     bytea       NOT NULL,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX refused_by_voter ON $schema$.refused (survey, voter_key);

-- Records nobody could decode or that carry no MAC of ours. Kept byte for byte: they are evidence, not garbage.
CREATE TABLE $schema$.poison (
    partition   integer     NOT NULL,
    "offset"    bigint      NOT NULL,
    bytes       bytea       NOT NULL,
    reason      text        NOT NULL,
    seen_at     timestamptz NOT NULL,
    resolved_at timestamptz,
    PRIMARY KEY (partition, "offset")
);

-- The first fence of a survey in a partition: ballots behind it do not count.
CREATE TABLE $schema$.fences (
    survey    integer NOT NULL,
    partition integer NOT NULL,
    "offset"  bigint  NOT NULL,
    PRIMARY KEY (survey, partition)
);

-- What each partition adds to each result: always the sum of the rows above, written in the same transaction.
CREATE TABLE $schema$.tallies (
    survey    integer   NOT NULL,
    partition integer   NOT NULL,
    version   bigint    NOT NULL,
    ballots   bigint    NOT NULL CHECK (ballots >= 0),
    options   integer[] NOT NULL,
    votes     bigint[]  NOT NULL CHECK (cardinality(votes) = cardinality(options)),
    PRIMARY KEY (survey, partition)
);
