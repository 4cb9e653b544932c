-- The read model. Everything here can be thrown away and rebuilt from the events topic.
-- Times are ISO-8601 in UTC with microseconds, so that they sort as text; JSON is text.

CREATE TABLE pipeline_executions (
    execution_id text PRIMARY KEY,
    pipeline_id text NOT NULL,
    pipeline_name text NOT NULL,
    status text NOT NULL,
    started_at text NOT NULL,
    completed_at text,
    total_steps integer NOT NULL,
    completed_steps integer NOT NULL,
    failed_steps integer NOT NULL,
    input_data text,
    output_data text,
    error_message text,
    execution_time_ms real,
    metadata text,
    current_step text,
    version text,
    parent_execution_id text,
    forked_from text,
    fork_kind text,
    fork_step text,
    fork_seq integer,
    declared_steps integer NOT NULL,
    definition_hash text,
    parameters text,
    command_id text,
    error_info text,
    seq integer NOT NULL,
    partition integer NOT NULL,
    first_offset integer NOT NULL,
    log_offset integer NOT NULL,
    ended_offset integer GENERATED ALWAYS AS
        (CASE WHEN completed_at IS NOT NULL THEN log_offset END) STORED,
    incomplete integer NOT NULL DEFAULT 0
);
-- The list, newest first; by pipeline; by status.
CREATE INDEX pipeline_executions_newest ON pipeline_executions (started_at DESC, execution_id DESC);
CREATE INDEX pipeline_executions_of_pipeline
    ON pipeline_executions (pipeline_id, status, started_at DESC, execution_id DESC);
CREATE INDEX pipeline_executions_by_status
    ON pipeline_executions (status, started_at DESC, execution_id DESC);
-- Of ended executions, entered once: by end, by duration, and which ended since a position.
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
    execution_id text NOT NULL,
    step_id text NOT NULL,
    iteration integer NOT NULL,
    step_execution_id text GENERATED ALWAYS AS
        (execution_id || ':' || step_id || ':' || iteration) STORED,
    step_name text NOT NULL,
    step_type text NOT NULL,
    status text NOT NULL,
    opened_at text NOT NULL,
    started_at text,
    completed_at text,
    input_data text,
    output_data text,
    error_message text,
    execution_time_ms real,
    retry_count integer NOT NULL,
    metadata text NOT NULL DEFAULT '{}',
    attempt integer NOT NULL,
    interaction_id text,
    error_info text,
    seq integer NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration)
);

CREATE TABLE step_attempts (
    execution_id text NOT NULL,
    step_id text NOT NULL,
    iteration integer NOT NULL,
    attempt integer NOT NULL,
    seq integer NOT NULL,
    failed_at text NOT NULL,
    retry_at text NOT NULL,
    duration_ms real NOT NULL,
    error_message text NOT NULL,
    error_info text NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration, attempt)
);

CREATE TABLE step_compensations (
    execution_id text NOT NULL,
    step_id text NOT NULL,
    iteration integer NOT NULL,
    seq integer NOT NULL,
    compensated_at text NOT NULL,
    output_data text,
    error_info text,
    duration_ms real NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration)
);

-- Values kept in the payload store: which of a record's, by JSON pointer, and where. step_id is
-- empty for the execution's own record.
CREATE TABLE stored_payloads (
    execution_id text NOT NULL,
    step_id text NOT NULL,
    iteration integer NOT NULL,
    pointer text NOT NULL,
    uri text NOT NULL,
    sha256 text NOT NULL,
    size_bytes integer NOT NULL,
    PRIMARY KEY (execution_id, step_id, iteration, pointer)
);

CREATE TABLE interactions (
    interaction_id text PRIMARY KEY,
    execution_id text NOT NULL,
    pipeline_id text NOT NULL,
    step_id text NOT NULL,
    step_name text NOT NULL,
    iteration integer NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    prompt text,
    ui_schema text,
    channels text,
    assigned_users text,
    context_data text,
    human_input text,
    responded_by text,
    created_at text NOT NULL,
    expires_at text,
    completed_at text
);
CREATE INDEX interactions_of_execution ON interactions (execution_id);
CREATE INDEX interactions_pending ON interactions (created_at, interaction_id)
    WHERE status = 'pending';

-- Changes between beginning and end; those two stand in pipeline_executions itself.
CREATE TABLE execution_status_changes (
    execution_id text NOT NULL,
    seq integer NOT NULL,
    status text NOT NULL,
    changed_at text NOT NULL,
    PRIMARY KEY (execution_id, seq)
);

CREATE TABLE pipeline_definitions (
    definition_hash text PRIMARY KEY,
    pipeline_id text NOT NULL,
    pipeline_name text NOT NULL,
    definition text NOT NULL,
    first_seen_at text NOT NULL
);

-- Commands other than the one that began an execution; that one is in its row.
CREATE TABLE applied_commands (
    command_id text PRIMARY KEY,
    execution_id text NOT NULL,
    log_offset integer NOT NULL,
    applied_at text NOT NULL
);
CREATE INDEX applied_commands_of_execution ON applied_commands (execution_id);

CREATE TABLE refused_commands (
    command_id text PRIMARY KEY,
    execution_id text NOT NULL,
    command_type text NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    log_offset integer NOT NULL,
    refused_at text NOT NULL
);

CREATE TABLE dead_letters (
    id integer PRIMARY KEY AUTOINCREMENT,
    topic text NOT NULL,
    partition integer NOT NULL,
    log_offset integer NOT NULL,
    execution_id text,
    seq integer NOT NULL,
    status text NOT NULL,
    code text NOT NULL,
    reason text NOT NULL,
    record_key blob,
    record_value blob,
    record_headers text NOT NULL,
    epoch integer,
    set_aside_at text NOT NULL,
    resolved_at text,
    UNIQUE (topic, partition, log_offset)
);
CREATE INDEX dead_letters_unresolved ON dead_letters (execution_id)
    WHERE status IN ('open', 'parked');

-- How far each partition is applied, in the same transaction as the rows; and what was last seen of
-- its end. `generation` grows when rows change behind the live worker's back.
CREATE TABLE projection_positions (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset integer NOT NULL DEFAULT 0,
    epoch integer,
    generation integer NOT NULL DEFAULT 0,
    last_event_at text,
    applied_at text,
    end_offset integer NOT NULL DEFAULT 0,
    observed_at text,
    caught_up_at text,
    PRIMARY KEY (topic, partition)
);

-- What a check of a few rows against the log found: totals, and each execution whose rows differ for
-- as long as they do.
CREATE TABLE drift_checks (
    topic text PRIMARY KEY,
    checked_at text NOT NULL,
    checked integer NOT NULL
);
CREATE TABLE drifted_executions (
    execution_id text PRIMARY KEY,
    topic text NOT NULL,
    drifted_rows integer NOT NULL,
    found_at text NOT NULL
);

-- Which fold built these rows; another version of it must rebuild, not go on.
-- `pruned_before`: executions that ended earlier may have been removed.
CREATE TABLE read_model (projection_version integer NOT NULL, pruned_before text);
INSERT INTO read_model VALUES (1, NULL);
