-- Give the database the accounts of an older release, for which `questbell` was the superuser and owned everything.
\getenv password POSTGRES_PASSWORD
CREATE ROLE ageing SUPERUSER LOGIN;
\connect - ageing
BEGIN;
ALTER ROLE questbell RENAME TO spent;
ALTER ROLE postgres RENAME TO questbell;
ALTER ROLE questbell PASSWORD :'password';
REASSIGN OWNED BY questbell_owner TO questbell;
-- One statement each: a single one finds the default rights of the first on the second twice, and fails.
DROP OWNED BY questbell_owner;
DROP OWNED BY spent;
DROP ROLE questbell_owner, spent;
COMMIT;
-- They connect again, as the superuser.
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE client_addr IS NOT NULL;
\connect - questbell
DROP ROLE ageing;
