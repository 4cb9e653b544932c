-- The place of an item among those of its map, how many items a map has, and the execution that a
-- step began. Null in every other row: adding them touches no row.
ALTER TABLE step_executions ADD COLUMN item_index integer;
ALTER TABLE step_executions ADD COLUMN item_count integer;
ALTER TABLE step_executions ADD COLUMN child_execution_id text;
