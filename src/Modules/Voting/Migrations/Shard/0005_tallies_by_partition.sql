-- Tallies are compared with the archive partition by partition, all the time. No tally changes its partition, so
-- counting writes nothing to this index.
CREATE INDEX tallies_by_partition ON $schema$.tallies (partition);
