-- A record of the outcomes that nobody who counts has said stays in the log: what is found of it never goes away by
-- itself, is named by its own offset, and is said once, also after an operator has closed it.
DELETE FROM audit.differences WHERE kind = 'outcome-unknown';

CREATE UNIQUE INDEX differences_lasting ON audit.differences (log, place) WHERE kind = 'outcome-unknown';

-- Which offsets a checkpoint holds, and how far a source goes up to it.
CREATE INDEX ranges_by_checkpoint ON audit.ranges (log, source, checkpoint) INCLUDE (first_index, next_offset);
