-- Three sets of rights over the read model. An administrator runs this, as often as need be,
-- connected to the read model's database:
--     psql "$ADMIN_URL" --set ON_ERROR_STOP=1 --file deploy/postgres/roles.sql
-- Logins are yours, each a member of one of the three:
--     CREATE ROLE tracker_migrate LOGIN IN ROLE steplog_owner;
--     ALTER ROLE tracker_migrate SET role = 'steplog_owner';  -- What it makes belongs to the owner.
--     CREATE ROLE tracker_worker LOGIN IN ROLE steplog_tracker;
--     CREATE ROLE tracker_api LOGIN IN ROLE steplog_reader;
-- Once one login has run `python -m tracker_service migrate`, workers need no right to make tables.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['steplog_owner', 'steplog_tracker', 'steplog_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
    -- A rebuild makes its shadow tables in a schema of its own; big batches go by a temporary table.
    EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO steplog_owner', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO steplog_tracker', current_database());
END
$$;

-- The owner migrates and rebuilds.
GRANT USAGE, CREATE ON SCHEMA public TO steplog_owner;

-- The worker writes rows and nothing else.
GRANT USAGE ON SCHEMA public TO steplog_tracker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO steplog_tracker;
ALTER DEFAULT PRIVILEGES FOR ROLE steplog_owner
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO steplog_tracker;

-- The API reads.
GRANT USAGE ON SCHEMA public TO steplog_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO steplog_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE steplog_owner GRANT SELECT ON TABLES TO steplog_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE steplog_owner
    GRANT USAGE ON SCHEMAS TO steplog_tracker, steplog_reader;
