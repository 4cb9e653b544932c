-- Whoever was given an execution's id and finds no execution is told what was refused for it.
CREATE INDEX refused_commands_by_execution ON refused_commands (execution_id, log_offset);
