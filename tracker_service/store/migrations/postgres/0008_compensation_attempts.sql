-- A step's undoing may take several attempts; each that failed has a row with its error.
ALTER TABLE step_compensations DROP CONSTRAINT step_compensations_pkey;
ALTER TABLE step_compensations ADD PRIMARY KEY (execution_id, step_id, iteration, seq);
