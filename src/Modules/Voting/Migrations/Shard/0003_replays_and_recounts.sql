-- The offset of the replay that settled the record; null while nothing has, or where an operator settled it as no vote.
ALTER TABLE $schema$.poison ADD COLUMN replayed_as bigint,
    ADD CHECK (replayed_as IS NULL OR (resolved_at IS NOT NULL AND replayed_as > "offset"));

-- How often tallies of the partition were corrected: a counter that has others in memory must read them anew.
ALTER TABLE $schema$.positions ADD COLUMN recounts bigint NOT NULL DEFAULT 0 CHECK (recounts >= 0);
