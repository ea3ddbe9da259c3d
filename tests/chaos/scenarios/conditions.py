"""Ordinary load, wrong clocks, unusual messages, and several faults in one scenario."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.discord.faults.model import Drop, Status
from tests.chaos.faults import no_fault, servers
from tests.chaos.faults.combined import at_once, random_sequence
from tests.chaos.faults.discord import inject_faults
from tests.chaos.faults.messages import duplicate_and_reorder, publish_poison
from tests.chaos.faults.processes import BOT, CONTROLLERS, kill
from tests.chaos.load_actions import LoadProfile
from tests.chaos.scenarios.scenario import TWO, Scenario

ALL_CONNECTIONS = tuple(f"{kind}-{server}" for kind in (BOT, CONTROLLERS) for server in ("database", "broker"))

LOAD: Mapping[str, Scenario] = {
    "calm": Scenario(
        no_fault,
        "Games that are moved, cancelled, joined and left at the due time are right without any fault.",
        quick=True,
    ),
    "two-controllers": Scenario(no_fault, "Two replicas that share the work publish nothing twice.", TWO),
}

CLOCKS: Mapping[str, Scenario] = {
    "clock-of-bot-ahead": Scenario(
        no_fault, "The database's clock decides, not that of the bot's machine.", clock_skew={BOT: 300}
    ),
    "clock-of-bot-behind": Scenario(
        no_fault, "A bot with a clock that is behind sends nothing for a game that has started.", clock_skew={BOT: -300}
    ),
    "clock-of-controllers-ahead": Scenario(
        no_fault, "The database's clock decides what is due, not that of a node.", clock_skew={CONTROLLERS: 300}
    ),
    "clock-of-controllers-behind": Scenario(
        no_fault, "Controllers with a clock that is behind publish nothing late.", clock_skew={CONTROLLERS: -300}
    ),
}

MESSAGES: Mapping[str, Scenario] = {
    "messages-duplicated-and-reordered": Scenario(
        duplicate_and_reorder,
        "Duplicated, late and reordered messages change nothing.",
        quick=True,
    ),
    "messages-poisoned": Scenario(publish_poison, "Messages that cannot be read block no queue, and are parked."),
}

COMBINED: Mapping[str, Scenario] = {
    "both-killed": Scenario(
        at_once(kill(BOT), kill(CONTROLLERS)), "Bot and controllers recover from the database alone."
    ),
    "everything": Scenario(
        random_sequence(
            [
                kill(BOT, times=1),
                kill(CONTROLLERS, times=1),
                servers.restart_broker,
                servers.restart_database,
                servers.fail_over_database,
                servers.cut_connections(ALL_CONNECTIONS, times=3),
                inject_faults(Status(503), Drop(accepted=True), probability=0.5, seconds=4.0),
            ],
            count=4,
        ),
        "Faults that follow one another without a pause are as harmless as each alone.",
        TWO,
        LoadProfile(spread=20.0),
    ),
}
