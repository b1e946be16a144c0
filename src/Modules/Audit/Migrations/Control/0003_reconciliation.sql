-- Events of the audit module on their way to the log: written by the transaction that finds or does what they tell of,
-- deleted once the log has them.
CREATE TABLE audit.outbox (
    number      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregate   text        NOT NULL CHECK (char_length(aggregate) BETWEEN 1 AND 200),
    -- What the log takes at most.
    event       bytea       NOT NULL CHECK (octet_length(event) <= 921600),
    traceparent text,
    tracestate  text,
    written_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (tracestate IS NULL OR traceparent IS NOT NULL)
);

-- What was found not to be as it must be, each once as long as it lasts.
CREATE TABLE audit.differences (
    number      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    area        text COLLATE "C" NOT NULL CHECK (area IN ('reconciliation', 'verification')),
    kind        text COLLATE "C" NOT NULL,
    log         text COLLATE "C" NOT NULL,
    survey      int,
    -- Offset of the vote, or number of the checkpoint.
    place       bigint,
    detail      text        NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz
);

-- The names that no survey and no place have.
CREATE UNIQUE INDEX differences_open ON audit.differences
    (log, area, kind, coalesce(survey, 0), coalesce(place, (-9223372036854775808)::bigint))
    WHERE resolved_at IS NULL;

-- How far each partition of votes is reconciled: once soon after it is sealed ('follow'), and all of it again and
-- again ('pass').
CREATE TABLE audit.reconciled (
    log text COLLATE "C" NOT NULL REFERENCES audit.heads,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('follow', 'pass')),
    -- Offsets in votes and in vote-outcomes. Whoever moves them names where they stood, so each record is taken once.
    next_offset bigint NOT NULL DEFAULT 0 CHECK (next_offset >= 0),
    next_outcome bigint NOT NULL DEFAULT 0 CHECK (next_outcome >= 0),
    -- Only one process at a time.
    claimant text,
    claimed_until timestamptz,
    -- Of a pass: when it began; null between passes.
    started_at timestamptz,
    -- When nothing was left to look at.
    completed_at timestamptz,
    PRIMARY KEY (log, kind),
    CHECK ((claimant IS NULL) = (claimed_until IS NULL))
) WITH (fillfactor = 20);

-- What the archive gives of each survey in each log, up to where it is followed: what tallies have to be.
CREATE TABLE audit.reconciled_surveys (
    survey int NOT NULL,
    log text COLLATE "C" NOT NULL REFERENCES audit.heads,
    submitted bigint NOT NULL,
    counted bigint NOT NULL,
    held bigint NOT NULL,
    rejected bigint NOT NULL,
    repeated bigint NOT NULL,
    set_aside bigint NOT NULL,
    options int[] NOT NULL,
    votes bigint[] NOT NULL CHECK (cardinality(votes) = cardinality(options)),
    PRIMARY KEY (survey, log)
);

CREATE INDEX reconciled_surveys_by_log ON audit.reconciled_surveys (log);
