"""Discord returns errors, limits requests, or does not answer."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.discord.faults.model import Drop, Hang, Refuse, Slow, Status, TooMany
from tests.chaos.faults.discord import (
    direct_messages,
    disturb_gateway,
    first_channel,
    inject_faults,
    new_dm_channels,
    refuse_gateway,
    some_channels,
    take_permissions,
)
from tests.chaos.faults.processes import BOT
from tests.chaos.fixture import TIMING, Topology
from tests.chaos.scenarios.scenario import CROWDED, NEWCOMERS, ROOMY, Scenario

SMALL_PREFETCH = Topology(settings={BOT: {"QUESTBELL_AMQP_PREFETCH": "10"}})
"""What waits in the bot takes a place from others: with few places a scenario shows what a large instance would see."""

DISCORD: Mapping[str, Scenario] = {
    "discord-5xx": Scenario(
        inject_faults(Status(503), Status(502, accepted=True), probability=0.6),
        "An error of a proxy may hide that Discord created the message, so the result is uncertain.",
        quick=True,
    ),
    "discord-502-while-games-change": Scenario(
        inject_faults(Status(502), Status(502, accepted=True), probability=0.95, seconds=None),
        "A reminder that may have been sent is not superseded until its result is known.",
    ),
    "discord-429-storm": Scenario(
        inject_faults(TooMany(0.5), TooMany(1.5, scope="global"), TooMany(0.5, scope="shared"), probability=0.7),
        "Rate limits of every scope delay reminders and lose none.",
    ),
    "discord-accepts-then-drops": Scenario(
        inject_faults(Drop(accepted=True), probability=0.6),
        "A connection that ends before the response does not lead to a second message.",
    ),
    "discord-accepts-then-hangs": Scenario(
        inject_faults(Hang(5.0, accepted=True), probability=0.6),
        "A response that comes after the time-out does not lead to a second message.",
    ),
    "discord-slow": Scenario(
        inject_faults(Slow(10.0), probability=0.5, aftermath=10.0),
        "A request that Discord takes seconds to accept is not sent as a second message.",
        late_arrivals=True,
    ),
    "direct-messages-fail": Scenario(
        inject_faults(
            *(Status(503), Status(502, accepted=True), TooMany(0.5)),
            probability=0.6,
            targets=direct_messages,
            seconds=None,
        ),
        "Failing direct messages delay no channel.",
        load=ROOMY,
        quick=True,
    ),
    "direct-messages-opened-too-fast": Scenario(
        inject_faults(Refuse(40003), probability=1.0, targets=new_dm_channels, seconds=None),
        "The limit on opening direct messages delays only those who need a new one.",
        load=NEWCOMERS,
    ),
    "one-channel-rate-limited": Scenario(
        inject_faults(TooMany(3.0), probability=1.0, targets=first_channel, seconds=None),
        "A channel that is rate limited delays no other channel.",
        SMALL_PREFETCH,
        CROWDED,
    ),
    "empty-channels-answer-503": Scenario(
        inject_faults(
            Status(503), probability=1.0, targets=some_channels, seconds=TIMING.nonce_window + 8.0, is_fair=False
        ),
        "A channel without messages proves that nothing was sent, however long Discord answered with errors.",
        load=ROOMY,
    ),
    "permission-lost-and-regained": Scenario(
        take_permissions, "A missing permission is final only when the game begins.", load=ROOMY
    ),
    "gateway-disturbed": Scenario(disturb_gateway, "Delivery does not depend on the gateway."),
    "gateway-refused": Scenario(
        refuse_gateway(4011), "A bot that is in too many servers for the gateway still delivers its reminders."
    ),
}
