-- Events of surveys on their way to the log: written by the transaction that changes the survey, deleted once the log
-- has them. Whoever writes one holds the survey's row, so numbers of a survey become visible in their order.
CREATE TABLE voting.outbox (
    number      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregate   text        NOT NULL CHECK (char_length(aggregate) BETWEEN 1 AND 200),
    -- What the log takes at most.
    event       bytea       NOT NULL CHECK (octet_length(event) <= 921600),
    traceparent text,
    tracestate  text,
    written_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (tracestate IS NULL OR traceparent IS NOT NULL)
);
