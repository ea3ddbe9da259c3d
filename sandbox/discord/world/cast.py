"""The world as a new sandbox shows it: one guild, three channels, and people with something to do.

Small enough to know by heart, and with one of each kind that a feature must tell apart: the owner, a member who may
manage the server, members who may not, and one with another spelling than ASCII.
"""

from __future__ import annotations

from sandbox.discord.world.permissions import TALK, Permission
from sandbox.discord.world.world import World

OWNER = "Mia"
PLAYERS = ("Jonas", "Priya", "Tomás", "Aiko", "Ben", "Zoë", "Oskar")
CHANNELS = {
    "game-night": "Sessions, sign-ups and reminders",
    "announcements": "What everyone should know",
    "off-topic": "Everything else",
}


def furnish(world: World) -> None:
    """Put the Lantern Keep and its people into an empty world. Jonas may manage the server; the others may not."""
    world.add_user(OWNER)
    guild = world.add_guild("Lantern Keep", owner=OWNER)
    keepers = world.add_role(guild, "Keepers", TALK | Permission.MANAGE_GUILD | Permission.MANAGE_CHANNELS)
    players = world.add_role(guild, "Players", TALK, mentionable=True)
    for name, topic in CHANNELS.items():
        world.add_channel(guild, name, topic=topic)
    for name in PLAYERS:
        world.add_user(name)
        world.add_member(guild, name, roles=(keepers, players) if name == PLAYERS[0] else (players,))
