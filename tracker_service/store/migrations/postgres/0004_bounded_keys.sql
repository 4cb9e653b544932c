-- Whether an execution began under an executor's epoch; null in rows that were written before this.
ALTER TABLE pipeline_executions ADD COLUMN under_epoch boolean;

-- A pointer may be longer than an index entry, so the key has its sha256 in its place.
ALTER TABLE stored_payloads ADD COLUMN pointer_hash text COLLATE "C";
UPDATE stored_payloads SET pointer_hash = encode(sha256(convert_to(pointer, 'UTF8')), 'hex');
ALTER TABLE stored_payloads ALTER COLUMN pointer_hash SET NOT NULL;
ALTER TABLE stored_payloads DROP CONSTRAINT stored_payloads_pkey;
ALTER TABLE stored_payloads ADD PRIMARY KEY (execution_id, step_id, iteration, pointer_hash);
