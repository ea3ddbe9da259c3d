"""The bot and the controllers die, stop or freeze, at random moments and at injection points."""

from __future__ import annotations

from collections.abc import Mapping

from tests.chaos import injection_points as points
from tests.chaos.faults.processes import (
    BOT,
    CONTROLLERS,
    delay_at,
    freeze,
    freeze_at,
    kill,
    kill_at,
    stop_for,
    terminate,
)
from tests.chaos.scenarios.scenario import TWO, Scenario

BOT_CRASHES: Mapping[str, Scenario] = {
    "bot-killed": Scenario(kill(BOT), "A bot that dies at any moment loses and repeats nothing."),
    "bot-terminated": Scenario(terminate(BOT), "A rolling restart of the bot loses and repeats nothing."),
    "bot-down-for-a-minute": Scenario(
        stop_for(BOT, 70.0), "After an outage the latest of a game's overdue reminders is sent, not all of them."
    ),
    "bot-killed-before-the-request": Scenario(
        kill_at(BOT, points.REQUEST_SENT), "A delivery in `sending` that Discord never saw is sent after all."
    ),
    "bot-killed-between-accept-and-ledger": Scenario(
        kill_at(BOT, points.REQUEST_SENT, points.REQUEST_ACCEPTED),
        "The nonce keeps a message from being created twice when the bot dies before it records the first.",
        quick=True,
    ),
    "bot-killed-in-the-commit-of-an-outcome": Scenario(
        kill_at(BOT, points.REQUEST_SENT, points.REQUEST_ACCEPTED, points.OUTCOME_COMMIT_SENT),
        "A commit with an unknown result is found out, not assumed.",
    ),
    "bot-killed-between-commit-and-ack": Scenario(
        kill_at(BOT, points.ACK_SENT), "A redelivery after the outcome was committed sends nothing.", quick=True
    ),
    "bot-frozen": Scenario(
        freeze(BOT),
        "A bot that continues after all its leases expired sends nothing that another attempt sent.",
        late_arrivals=True,
        unknown_allowed=True,
    ),
    "bot-frozen-between-accept-and-ledger": Scenario(
        freeze_at(BOT, points.REQUEST_SENT, points.REQUEST_ACCEPTED),
        "A late response does not overwrite what a later attempt recorded.",
        late_arrivals=True,
        unknown_allowed=True,
    ),
    "bot-requests-delayed": Scenario(
        delay_at(points.REQUEST_SENT),
        "A request that arrives after its time-out does not make a second message.",
        late_arrivals=True,
    ),
}

CONTROLLER_CRASHES: Mapping[str, Scenario] = {
    "controllers-killed": Scenario(kill(CONTROLLERS), "Controllers that die at any moment lose no due row."),
    "two-controllers-killed": Scenario(
        kill(CONTROLLERS), "The other replica takes over at once when one dies.", TWO, quick=True
    ),
    "controllers-terminated": Scenario(
        terminate(CONTROLLERS), "A rolling restart of the controllers loses and repeats nothing."
    ),
    "controllers-killed-after-claim": Scenario(
        kill_at(CONTROLLERS, points.PUBLISH_SENT), "Rows that were claimed but not published become due again."
    ),
    "controllers-killed-between-publish-and-commit": Scenario(
        kill_at(CONTROLLERS, points.PUBLISH_CONFIRMED),
        "A message that was published by a claim that rolled back is delivered once.",
        quick=True,
    ),
    "controllers-killed-in-the-commit-of-a-claim": Scenario(
        kill_at(CONTROLLERS, points.PUBLISH_CONFIRMED, points.CLAIM_COMMIT_SENT),
        "A claim with an unknown commit publishes nothing that is delivered twice.",
    ),
    "controllers-killed-after-the-commit-of-a-claim": Scenario(
        kill_at(CONTROLLERS, points.PUBLISH_CONFIRMED, points.CLAIM_COMMIT_SENT, points.CLAIM_COMMITTED),
        "A committed claim needs nothing more from its process.",
    ),
    "controllers-frozen": Scenario(
        freeze(CONTROLLERS), "The locks of a frozen process expire, and nothing it does later repeats a reminder."
    ),
    "one-of-two-controllers-frozen": Scenario(
        freeze(CONTROLLERS), "A frozen replica does not keep its rows from the other one.", TWO
    ),
    "controllers-frozen-after-claim": Scenario(
        freeze_at(CONTROLLERS, points.PUBLISH_SENT), "The time limit of a transaction frees the rows it claimed.", TWO
    ),
    "controllers-frozen-between-publish-and-commit": Scenario(
        freeze_at(CONTROLLERS, points.PUBLISH_CONFIRMED),
        "A row that was published by a frozen claim and again by another replica is delivered once.",
        TWO,
    ),
}
