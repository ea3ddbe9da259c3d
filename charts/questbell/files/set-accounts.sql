-- Run by set-accounts.sh as a superuser. Everything can be repeated.
--
-- `questbell` is the workloads' account, which reads and writes rows. The owner of the tables, which changes the schema, is
-- `questbell_owner`, or `questbell` if the owner has no password.
\getenv password POSTGRES_PASSWORD
\getenv owner_password OWNER_PASSWORD
SELECT coalesce(nullif(:'owner', ''), 'questbell') AS owner \gset

BEGIN;

SELECT 'ALTER ROLE questbell RENAME TO postgres'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postgres') \gexec
ALTER ROLE postgres PASSWORD NULL;

SELECT format('CREATE ROLE %I LOGIN', account)
FROM (SELECT 'questbell' UNION SELECT :'owner') AS wanted (account)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = account) \gexec
ALTER ROLE questbell PASSWORD :'password';
SELECT :'owner' <> 'questbell' AS has_owner \gset
\if :has_owner
ALTER ROLE :"owner" PASSWORD :'owner_password';
\endif

ALTER DATABASE questbell OWNER TO :"owner";
REVOKE TEMPORARY ON DATABASE questbell FROM PUBLIC;
SELECT format('ALTER %s %s OWNER TO %I', kind, name, :'owner')
FROM (
    SELECT 'TABLE', oid::regclass::text, 'pg_class'::regclass, oid, relowner
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL
    SELECT 'ROUTINE', oid::regprocedure::text, 'pg_proc'::regclass, oid, proowner
    FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'TYPE', oid::regtype::text, 'pg_type'::regclass, oid, typowner
    FROM pg_type
    WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
) AS object (kind, name, catalog, oid, owner)
WHERE owner <> :'owner'::regrole
    -- A column's sequence follows its table, and an extension keeps its objects.
    AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = catalog AND objid = object.oid
            AND (deptype = 'e' OR refclassid = 'pg_class'::regclass AND refobjsubid > 0 AND deptype IN ('a', 'i'))
    ) \gexec

-- `questbell migrate` grants this for new tables. Here the previous release, which may still run, keeps its rights.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO questbell;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO questbell;

COMMIT;

-- The sessions of an older release, which began as the superuser. Clients connect again.
SELECT count(pg_terminate_backend(pid)) AS ended
FROM pg_stat_activity
WHERE usesysid = 'postgres'::regrole AND client_addr IS NOT NULL \gset
