-- The statements about series of games.

-- name: rosters_before
-- Read the players, in the order they joined, of the latest game that is over of each series.
-- Indexes: uq_game_occurrence, of which the latest entries of a series are read, and pk_participant.
SELECT series.id AS series_id, participant.user_id
FROM unnest(CAST(:ids AS uuid[])) AS series (id)
JOIN LATERAL (
    SELECT id
    FROM game
    WHERE series_id = series.id AND status IN ('completed', 'cancelled')
    ORDER BY occurrence DESC
    LIMIT 1
) AS latest ON true
JOIN participant ON participant.game_id = latest.id
ORDER BY participant.joined_at, participant.user_id;
