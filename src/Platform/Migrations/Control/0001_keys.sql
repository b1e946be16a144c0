-- Every key that the installation made for itself. Private halves and secrets are wrapped by the master key, which is
-- not here. Old keys stay: what they signed is checked for as long as it is kept. The highest number of a purpose is
-- the current one.
CREATE TABLE platform.keys (
    number      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id      text        NOT NULL UNIQUE CHECK (key_id ~ '^[A-Za-z0-9_-]{8,64}$'),
    purpose     text        NOT NULL CHECK (length(purpose) BETWEEN 1 AND 64),
    algorithm   text        NOT NULL CHECK (algorithm IN ('RS256', 'ES256', 'secret32')),
    -- SubjectPublicKeyInfo; a secret has none.
    public_key  bytea,
    wrapped_key bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((public_key IS NULL) = (algorithm = 'secret32'))
);

CREATE INDEX keys_by_purpose ON platform.keys (purpose, number);
