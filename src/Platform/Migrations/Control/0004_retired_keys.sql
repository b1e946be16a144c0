-- A key that signs no more: its public half stays, to check what it signed; its private half is gone.
ALTER TABLE platform.keys ADD COLUMN retired_at timestamptz;
ALTER TABLE platform.keys ALTER COLUMN wrapped_key DROP NOT NULL;
ALTER TABLE platform.keys ADD CONSTRAINT keys_retired_check
    CHECK ((retired_at IS NULL) = (wrapped_key IS NOT NULL) AND (retired_at IS NULL OR public_key IS NOT NULL));
