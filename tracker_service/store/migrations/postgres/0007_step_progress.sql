-- What running steps said of themselves: few rows for a visit, however long it runs.
CREATE TABLE step_progress (
    execution_id text COLLATE "C" NOT NULL,
    step_id text COLLATE "C" NOT NULL,
    iteration integer NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    progressed_at timestamptz NOT NULL,
    progress json NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration, seq)
);
