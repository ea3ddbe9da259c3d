"""The broker, the database, the API server and the network fail."""

from __future__ import annotations

from collections.abc import Mapping

from shared.messaging.topology import ANNOUNCEMENTS
from tests.chaos.faults import queues, servers
from tests.chaos.scenarios.scenario import LONG, ROOMY, Scenario

BROKER: Mapping[str, Scenario] = {
    "broker-restarted": Scenario(
        servers.restart_broker, "Publishers and consumers reconnect, and no confirmed message is lost.", quick=True
    ),
    "broker-wiped": Scenario(servers.wipe_broker, "A broker that lost all queues and messages loses no reminder."),
    "announcements-stuck": Scenario(
        queues.block(ANNOUNCEMENTS),
        "A queue that takes no messages and is not consumed delays nothing of the other queues.",
        load=ROOMY,
    ),
}

DATABASE: Mapping[str, Scenario] = {
    "database-restarted": Scenario(
        servers.restart_database, "The bot holds its messages until it can record what it sends.", quick=True
    ),
    "database-fails-over": Scenario(
        servers.fail_over_database, "A transaction whose connection ends is repeated without a second message."
    ),
    "database-read-only": Scenario(
        servers.make_database_read_only,
        "A server that only reads is an outage: what is due is delivered once it takes writes again.",
        unknown_allowed=True,
    ),
    "database-node-lost-by-bot": Scenario(
        servers.abandon(["bot-database"]),
        "A node that vanishes costs the bot one time-out, however many connections it had.",
    ),
    "database-node-lost-by-controllers": Scenario(
        servers.abandon(["controllers-database"]),
        "A node that vanishes costs the controllers one time-out, however many connections they had.",
    ),
}

NETWORK: Mapping[str, Scenario] = {
    "broker-silent": Scenario(
        servers.silence(["bot-broker", "controllers-broker"]), "A broker that stops answering is noticed by time-outs."
    ),
    "broker-silent-for-bot": Scenario(
        servers.silence(["bot-broker"]),
        "A consumer that lost its route gets its messages again, and each is sent once.",
    ),
    "broker-node-lost": Scenario(
        servers.abandon(["bot-broker", "controllers-broker"]),
        "A broker's node that vanishes is noticed by heartbeats and time-outs, while another one answers.",
    ),
    "broker-connections-cut": Scenario(
        servers.cut_connections(["bot-broker", "controllers-broker"]), "Connections that break often delay little."
    ),
    "database-silent": Scenario(
        servers.silence(["bot-database", "controllers-database"]),
        "A database that stops answering makes no process hang.",
        unknown_allowed=True,
    ),
    "database-connections-cut": Scenario(
        servers.cut_connections(["bot-database", "controllers-database"]),
        "A statement that breaks off in any transaction is repeated safely.",
    ),
    "discord-silent": Scenario(
        servers.silence(["bot-discord"], seconds=6.0),
        "A request without a response is repeated with the same nonce.",
        late_arrivals=True,
    ),
}

KUBERNETES: Mapping[str, Scenario] = {
    "api-server-down": Scenario(
        servers.stop_api_server, "Reminders go on for minutes without the Kubernetes API server.", load=LONG
    ),
}
