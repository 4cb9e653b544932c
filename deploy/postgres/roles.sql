-- Three sets of rights over the read model, on its own tables by name: whatever else is in the same
-- database stays out of reach. An administrator runs this, as often as need be, connected to it:
--     psql "$ADMIN_URL" --set ON_ERROR_STOP=1 --file deploy/postgres/roles.sql
-- `logins.sql` beside it makes a login in each. Nobody of them is the administrator:
--     steplog_owner    migrates, rebuilds, prunes; the tables belong to it
--     steplog_tracker  the worker: reads and writes rows, makes and drops nothing
--     steplog_reader   the API: reads rows
-- The executor has none, since it never asks this database.

DO $$
DECLARE
    wanted text;
    known text[] := ARRAY[
        'applied_commands', 'dead_letters', 'drift_checks', 'drifted_executions',
        'execution_status_changes', 'interactions', 'pipeline_definitions', 'pipeline_executions',
        'projection_positions', 'read_model', 'refused_commands', 'schema_migrations',
        'step_attempts', 'step_compensations', 'step_executions', 'step_progress',
        'stored_payloads'
    ];
BEGIN
    FOREACH wanted IN ARRAY ARRAY['steplog_owner', 'steplog_tracker', 'steplog_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
    -- A rebuild makes its shadow tables in a schema of its own; big batches go by a temporary table.
    EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO steplog_owner', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO steplog_tracker', current_database());
    -- Tables that another login made before there were roles; those made later come with the rights.
    FOREACH wanted IN ARRAY known LOOP
        IF to_regclass(format('public.%I', wanted)) IS NOT NULL THEN
            EXECUTE format('ALTER TABLE public.%I OWNER TO steplog_owner', wanted);
            EXECUTE format(
                'GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO steplog_tracker', wanted
            );
            EXECUTE format('GRANT SELECT ON public.%I TO steplog_reader', wanted);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE, CREATE ON SCHEMA public TO steplog_owner;
GRANT USAGE ON SCHEMA public TO steplog_tracker, steplog_reader;

-- The owner makes the read model's tables and nothing else.
ALTER DEFAULT PRIVILEGES FOR ROLE steplog_owner
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO steplog_tracker;
ALTER DEFAULT PRIVILEGES FOR ROLE steplog_owner GRANT SELECT ON TABLES TO steplog_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE steplog_owner
    GRANT USAGE ON SCHEMAS TO steplog_tracker, steplog_reader;
