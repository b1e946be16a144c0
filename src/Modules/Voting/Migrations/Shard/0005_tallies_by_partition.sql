-- Tallies are compared with the archive partition by partition, all the time. No tally changes its partition: an update
-- that finds room on its page, which each count needs, writes nothing to this index.
ALTER TABLE $schema$.tallies SET (fillfactor = 50);
CREATE INDEX tallies_by_partition ON $schema$.tallies (partition);
