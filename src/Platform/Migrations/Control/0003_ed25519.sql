-- Logs sign with Ed25519, which the verifiers of others understand.
ALTER TABLE platform.keys DROP CONSTRAINT keys_algorithm_check;
ALTER TABLE platform.keys ADD CONSTRAINT keys_algorithm_check
    CHECK (algorithm IN ('RS256', 'ES256', 'Ed25519', 'secret32'));
