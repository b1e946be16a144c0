-- Events of voters on their way to the log: written by the statement that changes the voter, deleted once the log has
-- them. No event names a voter: see what each carries.
CREATE TABLE $schema$.outbox (
    number      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregate   text        NOT NULL CHECK (char_length(aggregate) BETWEEN 1 AND 200),
    -- What the log takes at most.
    event       bytea       NOT NULL CHECK (octet_length(event) <= 921600),
    traceparent text,
    tracestate  text,
    written_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (tracestate IS NULL OR traceparent IS NOT NULL)
);
