-- A provider's ID token opens one session. It lies with the voter's sessions, so that one statement spends it and
-- opens the session; a login always leads to the same voter, so a replay comes here, too.
CREATE TABLE $schema$.spent_id_tokens (
    digest     bytea       PRIMARY KEY CHECK (octet_length(digest) = 32),
    session_id bytea       NOT NULL CHECK (octet_length(session_id) = 16),
    spent_at   timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

-- For forgetting those that expired.
CREATE INDEX spent_id_tokens_expired ON $schema$.spent_id_tokens (expires_at);
