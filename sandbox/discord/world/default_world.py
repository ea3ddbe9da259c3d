"""The world of a new sandbox: one guild, three channels and eight users.

It has one of each kind that a feature must distinguish: the owner, a member who may manage the server, members who may
not, and names that are not ASCII.
"""

from __future__ import annotations

from sandbox.discord.world.permissions import TALK, Permission
from sandbox.discord.world.world import World

OWNER = "Mia"
PLAYERS = ("Jonas", "Priya", "Tomás", "Aiko", "Ben", "Zoë", "Oskar")
CHANNELS = {
    "game-night": "Games, sign-ups and reminders",
    "announcements": "News for everyone",
    "off-topic": "Everything else",
}


def create_default_world(world: World) -> None:
    """Create the guild Lantern Keep and its users in an empty world. Besides the owner, only Jonas may manage it."""
    world.add_user(OWNER)
    guild = world.add_guild("Lantern Keep", owner=OWNER)
    keepers = world.add_role(guild, "Keepers", TALK | Permission.MANAGE_GUILD | Permission.MANAGE_CHANNELS)
    players = world.add_role(guild, "Players", TALK, mentionable=True)
    for name, topic in CHANNELS.items():
        world.add_channel(guild, name, topic=topic)
    for name in PLAYERS:
        world.add_user(name)
        world.add_member(guild, name, roles=(keepers, players) if name == PLAYERS[0] else (players,))
