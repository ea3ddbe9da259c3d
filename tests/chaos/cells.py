"""The matrix: every fault with its name, and what it may excuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.discord.faults.model import Drop, Hang, Refuse, Slow, Status, TooMany
from tests.chaos import moments
from tests.chaos.faults import Fault, nothing, servers
from tests.chaos.faults.discord import (
    conversations,
    direct_messages,
    gateway_comes_and_goes,
    misbehaves,
    one_channel,
)
from tests.chaos.faults.messages import doubled_and_reordered, poisoned
from tests.chaos.faults.mixed import drawn, together
from tests.chaos.faults.processes import (
    BOT,
    CONTROLLERS,
    away,
    delayed_at,
    frozen,
    frozen_at,
    killed,
    killed_at,
    told_to_go,
)
from tests.chaos.load import Shape
from tests.chaos.scene import Casting

ALL_LINKS = tuple(f"{who}-{what}" for who in (BOT, CONTROLLERS) for what in ("database", "broker"))
LONG = Shape(spread=servers.API_SERVER_AWAY)
"""For a fault of minutes: reminders fall due all the while."""


ROOMY = Shape(spread=20.0, unopened=0)
"""For what must delay nobody else: there is room below Discord's limit of all requests, which everybody shares."""
CROWDED = Shape(spread=20.0, crowd=5, unopened=0)
"""For a channel that is struck: it has as many reminders as Discord takes for it in twenty seconds."""
STRANGERS = Shape(spread=20.0, unopened=5)
"""For a lane that is closed half a minute at a time: reminders fall due until that is nearly over."""
SHORT = Shape()
ONE, TWO = Casting(), Casting(controllers=2)
NARROW = Casting(environment={BOT: {"QUESTBELL_AMQP_PREFETCH": "10"}})
"""Who waits in the bot takes a place from others: with few places a cell shows what a large instance would see."""


@dataclass(frozen=True)
class Cell:
    """One fault, and what it may excuse.

    Attributes:
        skews: seconds by which the clock of a process is wrong, by its name.
        quick: whether it belongs to the quick subset.
        late_arrivals: a request may arrive long after its time, so a message may be of an earlier turn than the latest.
        may_be_unknown: a try can become undecidable: its process, or all ways to Discord's answer, were gone for longer
            than Discord surely remembers a nonce.
    """

    fault: Fault
    casting: Casting = ONE
    shape: Shape = SHORT
    skews: Mapping[str, int] | None = None
    quick: bool = False
    late_arrivals: bool = False
    may_be_unknown: bool = False


CELLS: Mapping[str, Cell] = {
    "calm": Cell(nothing, quick=True),
    "two-controllers": Cell(nothing, TWO),
    "bot-killed": Cell(killed(BOT)),
    "controllers-killed": Cell(killed(CONTROLLERS)),
    "two-controllers-killed": Cell(killed(CONTROLLERS), TWO, quick=True),
    "both-killed": Cell(together(killed(BOT), killed(CONTROLLERS))),
    "bot-terminated": Cell(told_to_go(BOT)),
    "controllers-terminated": Cell(told_to_go(CONTROLLERS)),
    "bot-frozen": Cell(frozen(BOT), late_arrivals=True, may_be_unknown=True),
    "controllers-frozen": Cell(frozen(CONTROLLERS)),
    "one-of-two-controllers-frozen": Cell(frozen(CONTROLLERS), TWO),
    "bot-away-for-a-minute": Cell(away(BOT, 70.0)),
    "killed-after-claim": Cell(killed_at(CONTROLLERS, moments.PUBLISHES)),
    "killed-between-publish-and-commit": Cell(killed_at(CONTROLLERS, moments.CONFIRMED), quick=True),
    "killed-in-the-commit-of-a-claim": Cell(killed_at(CONTROLLERS, moments.CONFIRMED, moments.COMMITS_CLAIM)),
    "killed-after-the-commit-of-a-claim": Cell(
        killed_at(CONTROLLERS, moments.CONFIRMED, moments.COMMITS_CLAIM, moments.CLAIM_COMMITTED)
    ),
    "killed-before-the-request": Cell(killed_at(BOT, moments.REQUESTS)),
    "killed-between-accept-and-ledger": Cell(killed_at(BOT, moments.REQUESTS, moments.ACCEPTED), quick=True),
    "killed-in-the-commit-of-an-outcome": Cell(
        killed_at(BOT, moments.REQUESTS, moments.ACCEPTED, moments.COMMITS_OUTCOME)
    ),
    "killed-between-commit-and-ack": Cell(killed_at(BOT, moments.ACKS), quick=True),
    "frozen-after-claim": Cell(frozen_at(CONTROLLERS, moments.PUBLISHES), TWO),
    "frozen-between-publish-and-commit": Cell(frozen_at(CONTROLLERS, moments.CONFIRMED), TWO),
    "frozen-between-accept-and-ledger": Cell(
        frozen_at(BOT, moments.REQUESTS, moments.ACCEPTED), late_arrivals=True, may_be_unknown=True
    ),
    "requests-delayed": Cell(delayed_at(moments.REQUESTS), late_arrivals=True),
    "broker-restarted": Cell(servers.broker_restarts, quick=True),
    "broker-wiped": Cell(servers.broker_is_wiped),
    "broker-silent": Cell(servers.silent(["bot-broker", "controllers-broker"])),
    "broker-silent-for-bot": Cell(servers.silent(["bot-broker"])),
    "broker-connections-cut": Cell(servers.cut(["bot-broker", "controllers-broker"])),
    "database-restarted": Cell(servers.database_restarts, quick=True),
    "database-fails-over": Cell(servers.database_fails_over),
    "database-silent": Cell(servers.silent(["bot-database", "controllers-database"]), may_be_unknown=True),
    "database-connections-cut": Cell(servers.cut(["bot-database", "controllers-database"])),
    "api-server-away": Cell(servers.api_server_goes, shape=LONG),
    "discord-5xx": Cell(misbehaves(Status(503), Status(502, accepted=True), probability=0.6), quick=True),
    "discord-429-storm": Cell(
        misbehaves(TooMany(0.5), TooMany(1.5, scope="global"), TooMany(0.5, scope="shared"), probability=0.7)
    ),
    "discord-accepts-then-drops": Cell(misbehaves(Drop(accepted=True), probability=0.6)),
    "discord-accepts-then-hangs": Cell(misbehaves(Hang(5.0, accepted=True), probability=0.6)),
    "discord-slow": Cell(misbehaves(Slow(10.0), probability=0.5, aftermath=10.0), late_arrivals=True),
    "discord-silent": Cell(servers.silent(["bot-discord"], seconds=6.0), late_arrivals=True),
    "direct-messages-fail": Cell(
        misbehaves(
            *(Status(503), Status(502, accepted=True), TooMany(0.5)),
            probability=0.6,
            towards=direct_messages,
            seconds=None,
        ),
        shape=ROOMY,
        quick=True,
    ),
    "direct-messages-opened-too-fast": Cell(
        misbehaves(Refuse(40003), probability=1.0, towards=conversations, seconds=None), shape=STRANGERS
    ),
    "one-channel-refuses": Cell(
        misbehaves(TooMany(3.0), probability=1.0, towards=one_channel, seconds=None), NARROW, CROWDED
    ),
    "gateway-comes-and-goes": Cell(gateway_comes_and_goes),
    "clock-of-bot-ahead": Cell(nothing, skews={BOT: 300}),
    "clock-of-bot-behind": Cell(nothing, skews={BOT: -300}),
    "clock-of-controllers-ahead": Cell(nothing, skews={CONTROLLERS: 300}),
    "clock-of-controllers-behind": Cell(nothing, skews={CONTROLLERS: -300}),
    "messages-doubled-and-reordered": Cell(doubled_and_reordered, quick=True),
    "messages-poisoned": Cell(poisoned),
    "everything": Cell(
        drawn(
            [
                killed(BOT, times=1),
                killed(CONTROLLERS, times=1),
                servers.broker_restarts,
                servers.database_restarts,
                servers.database_fails_over,
                servers.cut(ALL_LINKS, times=3),
                misbehaves(Status(503), Drop(accepted=True), probability=0.5, seconds=4.0),
            ],
            count=4,
        ),
        TWO,
        Shape(spread=20.0),
    ),
}
