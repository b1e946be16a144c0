-- Every archived event, found by what it is about: made from the archive's segments, and made again from them if it is
-- lost. By the month of the event's time, so that old months can be moved away as a whole.
CREATE TABLE audit.events (
    time timestamptz NOT NULL,
    log text COLLATE "C" NOT NULL,
    -- The entry's place in its log.
    index bigint NOT NULL CHECK (index >= 0),
    type text COLLATE "C" NOT NULL,
    survey int,
    vote bytea CHECK (octet_length(vote) = 16),
    voter_key bytea CHECK (octet_length(voter_key) = 16),
    actor text COLLATE "C",
    topic text COLLATE "C" NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    -- SHA-256 of the event's bytes: what stands in the tree, and in receipts.
    entry bytea NOT NULL CHECK (octet_length(entry) = 32)
) PARTITION BY RANGE (time);

CREATE INDEX events_by_time ON audit.events (time, log, index);
CREATE INDEX events_by_vote ON audit.events (vote) WHERE vote IS NOT NULL;
CREATE INDEX events_by_voter ON audit.events (voter_key) WHERE voter_key IS NOT NULL;
CREATE INDEX events_by_survey ON audit.events (survey, time) WHERE survey IS NOT NULL;
CREATE INDEX events_by_type ON audit.events (type, time);
CREATE INDEX events_by_actor ON audit.events (actor, time) WHERE actor IS NOT NULL;

-- How far each log is in the index. Whoever adds a segment names the checkpoint before it, so each is added once.
CREATE TABLE audit.indexed (
    log text COLLATE "C" PRIMARY KEY REFERENCES audit.heads,
    checkpoint bigint NOT NULL DEFAULT 0 CHECK (checkpoint >= 0),
    -- The highest offset of a vote whose outcome was seen: outcomes that are said again are not counted again.
    outcome_offset bigint NOT NULL DEFAULT -1,
    -- Who adds the next segments, so that several processes do not read the same ones.
    claimant text,
    claimed_until timestamptz,
    CHECK ((claimant IS NULL) = (claimed_until IS NULL))
);

-- What the archive has of each survey in each log: each vote once, each outcome once.
CREATE TABLE audit.survey_counts (
    survey int NOT NULL,
    log text COLLATE "C" NOT NULL REFERENCES audit.heads,
    submitted bigint NOT NULL DEFAULT 0,
    counted bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    repeated bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (survey, log)
);

-- Surveys whose end is archived, and the statement that is made of each once their votes are archived as well.
CREATE TABLE audit.results (
    survey int PRIMARY KEY,
    log text COLLATE "C" NOT NULL REFERENCES audit.heads,
    index bigint NOT NULL,
    entry bytea NOT NULL CHECK (octet_length(entry) = 32),
    event bytea NOT NULL,
    -- Signed; the archive gets these bytes, however often it has to be asked.
    statement bytea,
    -- Of the object in the archive: from then on it is shown.
    version_id text,
    CHECK (version_id IS NULL OR statement IS NOT NULL)
);

ALTER TABLE audit.results ALTER COLUMN event SET STORAGE EXTERNAL;

-- The newest checkpoint of each log that each witness signed.
CREATE TABLE audit.cosignatures (
    log text COLLATE "C" NOT NULL REFERENCES audit.heads,
    -- The witness's verifier key.
    witness text COLLATE "C" NOT NULL,
    size bigint NOT NULL CHECK (size >= 0),
    -- The checkpoint's text, without signatures.
    text text NOT NULL,
    -- The signature's line, with its newline.
    line text NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (log, witness)
);
