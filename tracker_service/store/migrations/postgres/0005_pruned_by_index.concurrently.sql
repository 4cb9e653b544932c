-- What a pruning looks rows up by: without these indexes it reads both tables for each batch.
DROP INDEX CONCURRENTLY IF EXISTS refused_commands_by_time;
CREATE INDEX CONCURRENTLY refused_commands_by_time ON refused_commands (refused_at, command_id);
DROP INDEX CONCURRENTLY IF EXISTS dead_letters_of_execution;
CREATE INDEX CONCURRENTLY dead_letters_of_execution ON dead_letters (execution_id)
    WHERE execution_id IS NOT NULL;
