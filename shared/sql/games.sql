-- The statements that look for games of a server or a user. None reads more rows than the server has open games, and
-- only `count_open_games` reads as many. `list_own_games` reads all that its user ever answered, and `find_overlap` may read
-- all that end in a week, on all servers. A game lasts a week at most. One that was over two days ago is not open, even if
-- the controllers have been away since.

-- name: search_games
-- Find the open games whose title contains a text, an exact title first, then the soonest: with :is_over also others of
-- the last two days. Rosters are not read.
-- Indexes: ix_game_guild_id_scheduled_at, pk_co_host.
SELECT id, title, scheduled_at
FROM game
WHERE guild_id = :guild_id
    AND scheduled_at > (SELECT clock_timestamp()) - interval '9 days'
    AND scheduled_at + duration > (SELECT clock_timestamp()) - interval '2 days'
    AND (
        status IN ('scheduled', 'in_progress')
        OR CAST(:is_over AS boolean) AND scheduled_at > (SELECT clock_timestamp()) - interval '2 days'
    )
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
    AND scheduled_at > (SELECT clock_timestamp()) - interval '9 days'
    AND scheduled_at + duration > (SELECT clock_timestamp()) - interval '2 days'
    AND status IN ('scheduled', 'in_progress')
ORDER BY scheduled_at
LIMIT :limit;

-- name: list_own_games
-- List the open games that a user hosts or has answered, the soonest first, on one server or on all of them.
-- Indexes: ix_participant_user_id, ix_response_user_id, ix_game_host_id_scheduled_at, pk_game, pk_guild, pk_participant.
SELECT
    game.guild_id, game.channel_id, game.message_id, game.title, game.scheduled_at, game.capacity,
    (SELECT count(*) FROM participant WHERE participant.game_id = game.id) AS player_count,
    guild.name AS guild_name,
    game.host_id = :user_id AS is_host,
    own.answer
FROM (
    SELECT game_id, max(answer) AS answer
    FROM (
        SELECT
            game_id,
            CASE WHEN offered_until IS NOT NULL THEN 'offered' WHEN is_confirmed THEN 'going' ELSE 'unconfirmed' END AS answer
        FROM participant
        WHERE user_id = :user_id
        UNION ALL
        SELECT game_id, answer FROM response WHERE user_id = :user_id
        UNION ALL
        SELECT id, NULL FROM game WHERE host_id = :user_id AND scheduled_at > (SELECT clock_timestamp()) - interval '9 days'
    ) AS found
    GROUP BY game_id
) AS own
JOIN game ON game.id = own.game_id
JOIN guild ON guild.id = game.guild_id
WHERE game.scheduled_at + game.duration > (SELECT clock_timestamp()) - interval '2 days'
    AND game.status IN ('scheduled', 'in_progress')
    AND (CAST(:guild_id AS bigint) IS NULL OR game.guild_id = CAST(:guild_id AS bigint))
ORDER BY game.scheduled_at, game.id
LIMIT :limit;

-- name: find_overlap
-- Find the soonest other open game, on any server, that a user has a seat in and that takes place at the same time. Each
-- open game has an open row for its end, which is at most :longest after the end of this game. So either the seats of the
-- user are read, or the games that end in that time, whichever are fewer.
-- Indexes: ix_participant_user_id, uq_game_status_schedule_open, or ix_game_status_schedule_due_at, pk_participant; pk_game.
SELECT other.id, other.title, other.scheduled_at
FROM game
JOIN game_status_schedule AS ending
    ON ending.settled_at IS NULL
    AND ending.target_status = 'completed'
    AND ending.due_at > game.scheduled_at
    AND ending.due_at < game.scheduled_at + game.duration + CAST(:longest AS interval)
JOIN participant ON participant.user_id = :user_id AND participant.game_id = ending.game_id
JOIN game AS other ON other.id = participant.game_id
WHERE game.id = :game_id
    AND other.id <> game.id
    AND other.status IN ('scheduled', 'in_progress')
    AND other.scheduled_at < game.scheduled_at + game.duration
    AND game.scheduled_at < other.scheduled_at + other.duration
ORDER BY other.scheduled_at, other.id
LIMIT 1;

-- name: lock_guild
-- Let nobody else create a game on a server until the transaction ends. Index: pk_guild.
SELECT id FROM guild WHERE id = :guild_id FOR NO KEY UPDATE;

-- name: count_open_games
-- Count the open games of a server, and those of one host. Index: ix_game_guild_id_scheduled_at.
SELECT count(*) AS on_server, count(*) FILTER (WHERE host_id = :host_id) AS of_host
FROM game
WHERE guild_id = :guild_id
    AND scheduled_at > (SELECT clock_timestamp()) - interval '9 days'
    AND scheduled_at + duration > (SELECT clock_timestamp()) - interval '2 days'
    AND status IN ('scheduled', 'in_progress');

-- name: find_games_of_member
-- Find the open games of a server in which a user has a seat, or which they have answered, the soonest first.
-- Indexes: ix_game_guild_id_scheduled_at, pk_participant, pk_response.
SELECT id
FROM game
WHERE guild_id = :guild_id
    AND scheduled_at > (SELECT clock_timestamp()) - interval '9 days'
    AND scheduled_at + duration > (SELECT clock_timestamp()) - interval '2 days'
    AND status IN ('scheduled', 'in_progress')
    AND (
        EXISTS (SELECT FROM participant WHERE game_id = game.id AND user_id = :user_id)
        OR EXISTS (SELECT FROM response WHERE game_id = game.id AND user_id = :user_id)
    )
ORDER BY scheduled_at, id;

-- name: find_series_of_regular
-- Find the series of a server of which a user is a regular. Index: ix_game_series_guild_id.
SELECT id FROM game_series WHERE guild_id = :guild_id AND CAST(:user_id AS bigint) = ANY(regulars) ORDER BY id;

-- name: list_people_of_server
-- List the users who have a seat in an open game of a server, who have answered one, or who are regulars of a series.
-- Indexes: ix_game_guild_id_scheduled_at, pk_participant, pk_response, ix_game_series_guild_id.
WITH open_game AS MATERIALIZED (
    SELECT id
    FROM game
    WHERE guild_id = :guild_id
        AND scheduled_at > (SELECT clock_timestamp()) - interval '9 days'
        AND scheduled_at + duration > (SELECT clock_timestamp()) - interval '2 days'
        AND status IN ('scheduled', 'in_progress')
)
SELECT user_id FROM open_game JOIN participant ON participant.game_id = open_game.id
UNION
SELECT user_id FROM open_game JOIN response ON response.game_id = open_game.id
UNION
SELECT unnest(regulars) FROM game_series WHERE guild_id = :guild_id
ORDER BY user_id;
