-- The statements about series of games.

-- name: people_before
-- Read the players and the co-hosts of the latest game that is over of each series, in the order in which they came.
-- Indexes: uq_game_occurrence, of which the latest entries of a series are read, pk_participant and pk_co_host.
SELECT series.id AS series_id, people.user_id, people.slot, people.is_co_host
FROM unnest(CAST(:ids AS uuid[])) AS series (id)
JOIN LATERAL (
    SELECT id
    FROM game
    WHERE series_id = series.id AND status IN ('completed', 'cancelled')
    ORDER BY occurrence DESC
    LIMIT 1
) AS latest ON true
JOIN LATERAL (
    SELECT user_id, slot, joined_at AS since, false AS is_co_host FROM participant WHERE game_id = latest.id
    UNION ALL
    SELECT user_id, NULL, added_at, true FROM co_host WHERE game_id = latest.id
) AS people ON true
ORDER BY people.since, people.user_id;
