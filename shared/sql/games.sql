-- The statements that look for games of a server. None reads more rows than the server has open games, and only
-- `count_open_games` reads as many.

-- name: search_games
-- Find the open games whose title contains a text, an exact title first, then the soonest. Rosters are not read.
-- Indexes: ix_game_guild_id_scheduled_at, pk_co_host.
SELECT id, title, scheduled_at
FROM game
WHERE guild_id = :guild_id
    AND scheduled_at > (SELECT clock_timestamp()) - interval '2 days'
    AND (status IN ('scheduled', 'in_progress') OR CAST(:is_over AS boolean))
    AND title ILIKE :pattern
    AND (
        CAST(:host_id AS bigint) IS NULL
        OR host_id = CAST(:host_id AS bigint)
        OR EXISTS (SELECT FROM co_host WHERE game_id = game.id AND user_id = CAST(:host_id AS bigint))
    )
ORDER BY lower(title) = lower(:title) DESC, scheduled_at, id
LIMIT :limit;

-- name: list_games
-- List the open games of a server, the soonest first, with the number of their players.
-- Indexes: ix_game_guild_id_scheduled_at, of which the first :limit open games are read, and pk_participant.
SELECT
    guild_id, channel_id, message_id, title, scheduled_at, capacity,
    (SELECT count(*) FROM participant WHERE game_id = game.id) AS player_count
FROM game
WHERE guild_id = :guild_id
    AND scheduled_at > (SELECT clock_timestamp()) - interval '2 days'
    AND status IN ('scheduled', 'in_progress')
ORDER BY scheduled_at
LIMIT :limit;

-- name: lock_guild
-- Let nobody else create a game on a server until the transaction ends. Index: pk_guild.
SELECT id FROM guild WHERE id = :guild_id FOR NO KEY UPDATE;

-- name: count_open_games
-- Count the open games of a server, and those of one host. Index: ix_game_guild_id_scheduled_at.
SELECT count(*) AS on_server, count(*) FILTER (WHERE host_id = :host_id) AS of_host
FROM game
WHERE guild_id = :guild_id
    AND scheduled_at > (SELECT clock_timestamp()) - interval '2 days'
    AND status IN ('scheduled', 'in_progress');
