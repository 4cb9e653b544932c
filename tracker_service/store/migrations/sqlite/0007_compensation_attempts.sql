-- A step's undoing may take several attempts; each that failed has a row with its error.
ALTER TABLE step_compensations RENAME TO step_compensations_before;
CREATE TABLE step_compensations (
    execution_id text NOT NULL,
    step_id text NOT NULL,
    iteration integer NOT NULL,
    seq integer NOT NULL,
    compensated_at text NOT NULL,
    output_data text,
    error_info text,
    duration_ms real NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration, seq)
);
INSERT INTO step_compensations SELECT * FROM step_compensations_before;
DROP TABLE step_compensations_before;
