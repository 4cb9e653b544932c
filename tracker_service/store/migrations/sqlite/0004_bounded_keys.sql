-- Whether an execution began under an executor's epoch; null in rows that were written before this.
ALTER TABLE pipeline_executions ADD COLUMN under_epoch integer;

-- As in PostgreSQL, whose index entries are short: the key has a pointer's sha256 in its place.
CREATE TABLE stored_payloads_by_hash (
    execution_id text NOT NULL,
    step_id text NOT NULL,
    iteration integer NOT NULL,
    pointer text NOT NULL,
    uri text NOT NULL,
    sha256 text NOT NULL,
    size_bytes integer NOT NULL,
    pointer_hash text NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration, pointer_hash)
);
INSERT INTO stored_payloads_by_hash
SELECT execution_id, step_id, iteration, pointer, uri, sha256, size_bytes, sha256_hex(pointer)
FROM stored_payloads;
DROP TABLE stored_payloads;
ALTER TABLE stored_payloads_by_hash RENAME TO stored_payloads;

-- What a pruning looks rows up by.
CREATE INDEX refused_commands_by_time ON refused_commands (refused_at, command_id);
CREATE INDEX dead_letters_of_execution ON dead_letters (execution_id)
    WHERE execution_id IS NOT NULL;
