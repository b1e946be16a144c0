-- What a retired key may still speak for, and its public half, sealed under the master key: a row that somebody else
-- wrote is none. Keys that were retired before have no proof; processes say so when they start.
ALTER TABLE platform.keys ADD COLUMN retired_proof bytea;
ALTER TABLE platform.keys ADD CONSTRAINT keys_proof_check
    CHECK (retired_proof IS NULL OR retired_at IS NOT NULL);
