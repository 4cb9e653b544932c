-- The read model. Everything here can be thrown away and rebuilt from the events topic.
-- Ids sort by byte (COLLATE "C"), as the tracker sorts the rows it writes.

CREATE TABLE pipeline_executions (
    execution_id text COLLATE "C" PRIMARY KEY,
    pipeline_id text COLLATE "C" NOT NULL,
    pipeline_name text NOT NULL,
    status text COLLATE "C" NOT NULL,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    total_steps integer NOT NULL,
    completed_steps integer NOT NULL,
    failed_steps integer NOT NULL,
    input_data json,
    output_data json,
    error_message text,
    execution_time_ms double precision,
    metadata json,
    current_step text,
    version text,
    parent_execution_id text COLLATE "C",
    forked_from text COLLATE "C",
    fork_kind text,
    fork_step text,
    fork_seq bigint,
    declared_steps integer NOT NULL,
    definition_hash text COLLATE "C",
    parameters json,
    command_id text COLLATE "C",
    error_info json,
    seq bigint NOT NULL,
    partition integer NOT NULL,
    first_offset bigint NOT NULL,
    log_offset bigint NOT NULL,
    ended_offset bigint GENERATED ALWAYS AS
        (CASE WHEN completed_at IS NOT NULL THEN log_offset END) STORED,
    incomplete boolean NOT NULL DEFAULT false
) WITH (fillfactor = 80);
-- The list, newest first; by pipeline; by status. A status changes once or twice in a row's life, so
-- the third index costs few updates their place in the page.
CREATE INDEX pipeline_executions_newest ON pipeline_executions (started_at DESC, execution_id DESC);
CREATE INDEX pipeline_executions_of_pipeline
    ON pipeline_executions (pipeline_id, status, started_at DESC, execution_id DESC);
CREATE INDEX pipeline_executions_by_status
    ON pipeline_executions (status, started_at DESC, execution_id DESC);
-- Of ended executions, entered once: by end, by duration, and which ended since a position. No index
-- has a column that each event changes (seq, log_offset, counts): rows then stay in their page.
CREATE INDEX pipeline_executions_by_end
    ON pipeline_executions (completed_at DESC, execution_id DESC) WHERE completed_at IS NOT NULL;
CREATE INDEX pipeline_executions_by_duration
    ON pipeline_executions (execution_time_ms DESC, execution_id DESC)
    WHERE execution_time_ms IS NOT NULL;
CREATE INDEX pipeline_executions_ended_since
    ON pipeline_executions (partition, ended_offset) WHERE ended_offset IS NOT NULL;
CREATE INDEX pipeline_executions_by_command
    ON pipeline_executions (command_id) WHERE command_id IS NOT NULL;
CREATE INDEX pipeline_executions_forks
    ON pipeline_executions (forked_from) WHERE forked_from IS NOT NULL;
CREATE INDEX pipeline_executions_children
    ON pipeline_executions (parent_execution_id) WHERE parent_execution_id IS NOT NULL;

CREATE TABLE step_executions (
    execution_id text COLLATE "C" NOT NULL,
    step_id text COLLATE "C" NOT NULL,
    iteration integer NOT NULL,
    step_execution_id text COLLATE "C" GENERATED ALWAYS AS
        (execution_id || ':' || step_id || ':' || iteration::text) STORED,
    step_name text NOT NULL,
    step_type text NOT NULL,
    status text NOT NULL,
    opened_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    input_data json,
    output_data json,
    error_message text,
    execution_time_ms double precision,
    retry_count integer NOT NULL,
    metadata json NOT NULL DEFAULT '{}',
    attempt integer NOT NULL,
    interaction_id text,
    error_info json,
    seq bigint NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration)
) WITH (fillfactor = 80);

CREATE TABLE step_attempts (
    execution_id text COLLATE "C" NOT NULL,
    step_id text COLLATE "C" NOT NULL,
    iteration integer NOT NULL,
    attempt integer NOT NULL,
    seq bigint NOT NULL,
    failed_at timestamptz NOT NULL,
    retry_at timestamptz NOT NULL,
    duration_ms double precision NOT NULL,
    error_message text NOT NULL,
    error_info json NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration, attempt)
);

CREATE TABLE step_compensations (
    execution_id text COLLATE "C" NOT NULL,
    step_id text COLLATE "C" NOT NULL,
    iteration integer NOT NULL,
    seq bigint NOT NULL,
    compensated_at timestamptz NOT NULL,
    output_data json,
    error_info json,
    duration_ms double precision NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration)
);

-- Values kept in the payload store: which of a record's, by JSON pointer, and where. step_id is
-- empty for the execution's own record.
CREATE TABLE stored_payloads (
    execution_id text COLLATE "C" NOT NULL,
    step_id text COLLATE "C" NOT NULL,
    iteration integer NOT NULL,
    pointer text COLLATE "C" NOT NULL,
    uri text NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration, pointer)
);

CREATE TABLE interactions (
    interaction_id text COLLATE "C" PRIMARY KEY,
    execution_id text COLLATE "C" NOT NULL,
    pipeline_id text COLLATE "C" NOT NULL,
    step_id text COLLATE "C" NOT NULL,
    step_name text NOT NULL,
    iteration integer NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    prompt text,
    ui_schema json,
    channels json,
    assigned_users json,
    context_data json,
    human_input json,
    responded_by text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    completed_at timestamptz
);
CREATE INDEX interactions_of_execution ON interactions (execution_id);
CREATE INDEX interactions_pending ON interactions (created_at, interaction_id)
    WHERE status = 'pending';

-- Changes between beginning and end; those two stand in pipeline_executions itself.
CREATE TABLE execution_status_changes (
    execution_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    status text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (execution_id, seq)
);

CREATE TABLE pipeline_definitions (
    definition_hash text COLLATE "C" PRIMARY KEY,
    pipeline_id text COLLATE "C" NOT NULL,
    pipeline_name text NOT NULL,
    definition json NOT NULL,
    first_seen_at timestamptz NOT NULL
);

-- Commands other than the one that began an execution; that one is in its row.
CREATE TABLE applied_commands (
    command_id text COLLATE "C" PRIMARY KEY,
    execution_id text COLLATE "C" NOT NULL,
    log_offset bigint NOT NULL,
    applied_at timestamptz NOT NULL
);
CREATE INDEX applied_commands_of_execution ON applied_commands (execution_id);

CREATE TABLE refused_commands (
    command_id text COLLATE "C" PRIMARY KEY,
    execution_id text COLLATE "C" NOT NULL,
    command_type text NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    log_offset bigint NOT NULL,
    refused_at timestamptz NOT NULL
);

CREATE TABLE dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    log_offset bigint NOT NULL,
    execution_id text COLLATE "C",
    seq bigint NOT NULL,
    status text NOT NULL,
    code text NOT NULL,
    reason text NOT NULL,
    record_key bytea,
    record_value bytea,
    record_headers json NOT NULL,
    epoch bigint,
    set_aside_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    UNIQUE (topic, partition, log_offset)
);
CREATE INDEX dead_letters_unresolved ON dead_letters (execution_id)
    WHERE status IN ('open', 'parked');

-- How far each partition is applied, in the same transaction as the rows; and what was last seen of
-- its end. `generation` grows when rows change behind the live worker's back.
CREATE TABLE projection_positions (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    epoch bigint,
    generation bigint NOT NULL DEFAULT 0,
    last_event_at timestamptz,
    applied_at timestamptz,
    end_offset bigint NOT NULL DEFAULT 0,
    observed_at timestamptz,
    caught_up_at timestamptz,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- What the tracker's own check of a few rows against the log found: totals, and each execution whose
-- rows differ for as long as they do.
CREATE TABLE drift_checks (
    topic text COLLATE "C" PRIMARY KEY,
    checked_at timestamptz NOT NULL,
    checked bigint NOT NULL
);
CREATE TABLE drifted_executions (
    execution_id text COLLATE "C" PRIMARY KEY,
    topic text COLLATE "C" NOT NULL,
    drifted_rows integer NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now()
);

-- Which fold built these rows; another version of it must rebuild, not go on.
-- `pruned_before`: executions that ended earlier may have been removed.
CREATE TABLE read_model (projection_version integer NOT NULL, pruned_before timestamptz);
INSERT INTO read_model VALUES (1, NULL);
