-- By what a log that lost records is recognised, and what was found. `last_record` is a digest of the
-- record before `next_offset`. While `lost_reason` is set nothing is applied to the partition.
ALTER TABLE projection_positions ADD COLUMN last_record text;
ALTER TABLE projection_positions ADD COLUMN lost_reason text;
ALTER TABLE projection_positions ADD COLUMN lost_at text;
