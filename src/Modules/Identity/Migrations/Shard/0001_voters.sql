-- The shard map's epoch: a process with an older map must not write here.
CREATE TABLE $schema$.shard (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch    integer NOT NULL CHECK (epoch > 0)
);

INSERT INTO $schema$.shard (epoch) VALUES ($epoch$);

-- An account. The first two bytes of its id are the bucket, by which it lies in this shard.
CREATE TABLE $schema$.voters (
    voter_id   bytea       PRIMARY KEY CHECK (octet_length(voter_id) = 16),
    verified   boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);

-- A provider's subject, as a keyed hash whose first two bytes are the bucket: it lies apart from its voter.
-- The primary key decides which of two first sign-ins made the voter.
CREATE TABLE $schema$.logins (
    login_key  bytea       PRIMARY KEY CHECK (octet_length(login_key) = 32),
    voter_id   bytea       NOT NULL CHECK (octet_length(voter_id) = 16),
    created_at timestamptz NOT NULL
);

-- One sign-in on one device. No refresh token is stored: it follows from id and generation by a key that is not here.
CREATE TABLE $schema$.sessions (
    session_id bytea       PRIMARY KEY CHECK (octet_length(session_id) = 16),
    voter_id   bytea       NOT NULL REFERENCES $schema$.voters,
    device     text        CHECK (length(device) BETWEEN 1 AND 128),
    generation integer     NOT NULL CHECK (generation > 0),
    created_at timestamptz NOT NULL,
    rotated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    CHECK (substring(session_id FROM 1 FOR 2) = substring(voter_id FROM 1 FOR 2))
);

CREATE INDEX sessions_of_voter ON $schema$.sessions (voter_id, created_at DESC, session_id);
