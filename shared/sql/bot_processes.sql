-- The statements that divide Discord's limit of requests between the bot's processes.

-- name: lock_shares
-- Let one process after the other take its share, so that each sees what the others have.
SELECT pg_advisory_xact_lock(CAST(:class AS integer), 0);

-- name: take_share
-- Take a process's part of the limit, but no more than the live others leave, and renew its lease. Return the share. The
-- table has a row for each process, of which there are at most ten.
-- Index: pk_bot_process.
INSERT INTO bot_process (ordinal, requests_per_second, lease_until)
SELECT
    CAST(:ordinal AS bigint),
    least(
        CAST(:limit AS double precision) / (count(*) + 1),
        greatest(CAST(:limit AS double precision) - coalesce(sum(requests_per_second), 0), 0)
    ),
    clock_timestamp() + CAST(:lease AS interval)
FROM bot_process
WHERE ordinal <> CAST(:ordinal AS bigint) AND lease_until > clock_timestamp()
ON CONFLICT (ordinal) DO UPDATE SET
    requests_per_second = excluded.requests_per_second,
    lease_until = excluded.lease_until
RETURNING requests_per_second;

-- name: release_share
-- Leave a process's share to the others. Index: pk_bot_process.
DELETE FROM bot_process WHERE ordinal = :ordinal;
