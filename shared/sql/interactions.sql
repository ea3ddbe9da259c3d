-- The statements that answer each interaction once. Their transaction also has the interaction's effect.

-- name: begin_interaction
-- Return a row for the first delivery of an interaction. A second one waits until the first is committed or rolled back.
-- Index: pk_interaction.
INSERT INTO interaction (id) VALUES (:interaction_id) ON CONFLICT DO NOTHING RETURNING id;

-- name: read_answer
-- Read the answer to an interaction. Index: pk_interaction.
SELECT answer FROM interaction WHERE id = :interaction_id;

-- name: record_answer
-- Record the answer to an interaction. Index: pk_interaction.
UPDATE interaction SET answer = :answer WHERE id = :interaction_id;

-- name: purge_answers
-- Delete a few old interactions. Ids rise with time. Each answer deletes more than it adds, so the table stays small.
-- Index: pk_interaction.
DELETE FROM interaction
WHERE id = ANY(ARRAY(
    SELECT id FROM interaction WHERE id < :before ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED
));
