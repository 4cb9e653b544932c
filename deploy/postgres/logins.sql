-- A login in each role of `roles.sql`, with passwords from the environment of psql; run it again
-- to change them:
--     MIGRATE_PASSWORD=... WORKER_PASSWORD=... API_PASSWORD=... \
--         psql "$ADMIN_URL" --set ON_ERROR_STOP=1 --file deploy/postgres/logins.sql
\getenv migrate_password MIGRATE_PASSWORD
\getenv worker_password WORKER_PASSWORD
\getenv api_password API_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['tracker_migrate', 'tracker_worker', 'tracker_api']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE tracker_migrate LOGIN NOSUPERUSER PASSWORD :'migrate_password';
ALTER ROLE tracker_worker LOGIN NOSUPERUSER PASSWORD :'worker_password';
ALTER ROLE tracker_api LOGIN NOSUPERUSER PASSWORD :'api_password';
GRANT steplog_owner TO tracker_migrate;
GRANT steplog_tracker TO tracker_worker;
GRANT steplog_reader TO tracker_api;
-- What it makes belongs to the owner.
ALTER ROLE tracker_migrate SET role = 'steplog_owner';
