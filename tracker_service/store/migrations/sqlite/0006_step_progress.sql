-- What running steps said of themselves: few rows for a visit, however long it runs.
CREATE TABLE step_progress (
    execution_id text NOT NULL,
    step_id text NOT NULL,
    iteration integer NOT NULL,
    seq integer NOT NULL,
    attempt integer NOT NULL,
    progressed_at text NOT NULL,
    progress text NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration, seq)
) WITHOUT ROWID;
