-- How far each log is verified by itself: the newest entries soon after they are sealed ('recent'), and every
-- checkpoint again and again ('pass').
CREATE TABLE audit.verified (
    log text COLLATE "C" NOT NULL REFERENCES audit.heads,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('recent', 'pass')),
    -- The last checkpoint that was looked at.
    checkpoint bigint NOT NULL DEFAULT 0 CHECK (checkpoint >= 0),
    -- Only one process at a time.
    claimant text,
    claimed_until timestamptz,
    -- Of a pass: when it began; null before the first.
    started_at timestamptz,
    -- When nothing was left to look at.
    completed_at timestamptz,
    PRIMARY KEY (log, kind),
    CHECK ((claimant IS NULL) = (claimed_until IS NULL))
) WITH (fillfactor = 20);
