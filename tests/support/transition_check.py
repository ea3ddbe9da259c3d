"""A trigger for test databases that refuses every change which `transitions` does not list.

It checks each statement's effect on a row at once, in the transaction that makes it, so a change that the product
makes wrongly fails in the test, model run or chaos history that makes it. The names of the transitions that were seen
are kept in `transitions.seen`.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from tests.support.transitions import GAMES, NONE, SERIES, STATE_OF, TRANSITIONS, Transition

BYPASS = "questbell.any_change"
"""The setting that lets a transaction change rows freely."""
_HEAD = """
CREATE SCHEMA transitions;
CREATE UNLOGGED TABLE transitions.seen (key text NOT NULL);
"""
_FUNCTION = """
CREATE FUNCTION transitions.check_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := '{none}';
    after text := '{none}';
    changed text[] := '{{}}';
    name text;
BEGIN
    IF current_setting('{bypass}', true) = 'on' THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        before := {old_state};
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := {new_state};
    END IF;
    IF TG_OP = 'UPDATE' THEN
        changed := ARRAY(
            SELECT entry.key FROM jsonb_each(to_jsonb(NEW)) AS entry WHERE entry.value <> to_jsonb(OLD) -> entry.key
        );
        IF changed = '{{}}' THEN
            RETURN NULL;
        END IF;
    END IF;
    name := CASE
{cases}
    END;
    IF name IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('no transition of {table} from %s to %s changes %s so', before, after, changed),
            DETAIL = format('%s -> %s', to_jsonb(OLD), to_jsonb(NEW));
    END IF;
    INSERT INTO transitions.seen VALUES ('{table}.' || name);
    RETURN NULL;
END $$;
CREATE TRIGGER check_transition AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION transitions.check_{table}();
"""


def script() -> str:
    """Return the SQL that installs the triggers in a migrated database."""
    return _HEAD + "".join(
        _FUNCTION.format(
            table=table,
            none=NONE,
            bypass=BYPASS,
            old_state=state.format(row="OLD"),
            new_state=state.format(row="NEW"),
            cases="\n".join(_case(transition) for transition in TRANSITIONS if transition.table == table),
        )
        for table, state in STATE_OF.items()
    )


async def install(connection: AsyncConnection) -> None:
    """Install the triggers in a migrated database."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    await driver.execute(script())


async def allow_any_change(session: AsyncSession) -> None:
    """Let the rest of a transaction change rows freely: a test prepares a state that would take hours to reach."""
    await session.execute(text(f"SELECT set_config('{BYPASS}', 'on', true)"))


def _case(transition: Transition) -> str:
    before = " AND ".join([f"before IN ({_quoted(transition.before)})", _after(transition), _columns(transition)])
    return f"        WHEN {before} AND ({transition.condition}) THEN '{transition.name}'"


def _after(transition: Transition) -> str:
    return f"after = '{transition.after}'" if transition.after else "after = before"


def _columns(transition: Transition) -> str:
    if NONE in (transition.after, *transition.before):
        return "true"
    if transition.table in (GAMES, SERIES) and not transition.after:
        return "NOT changed && ARRAY['id', 'guild_id', 'status', 'state']"
    return f"changed <@ ARRAY[{_quoted([*transition.columns, 'state', 'status'])}]"


def _quoted(names: object) -> str:
    assert isinstance(names, tuple | list)
    return ", ".join(f"'{name}'" for name in names)
