"""The bot's permissions are computed as the sandbox Discord computes them, which does it as Discord does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.discord.engine import build_engine
from sandbox.discord.world.payloads import channel_payload, guild_payload, member_payload
from sandbox.discord.world.permissions import EVERYTHING, Overwrite, Permission
from shared.discord.permissions import compute_permissions

PERMISSIONS = st.sets(
    st.sampled_from(
        [Permission.VIEW_CHANNEL, Permission.READ_MESSAGE_HISTORY, Permission.SEND_MESSAGES, Permission.ADMINISTRATOR]
    )
).map(lambda chosen: Permission(sum(chosen)))


@given(
    roles=st.lists(PERMISSIONS, min_size=3, max_size=3),
    overwrites=st.lists(st.tuples(st.integers(0, 4), PERMISSIONS, PERMISSIONS), max_size=5),
    is_owner=st.booleans(),
)
def test_permissions_are_combined_as_discord_combines_them(
    roles: list[Permission], overwrites: list[tuple[int, Permission, Permission]], *, is_owner: bool
) -> None:
    world = build_engine(token="t").world
    guild = next(iter(world.guilds.values()))
    channel = next(iter(guild.channels.values()))
    bot = guild.members[world.bot.id]
    own, other = world.add_role(guild, "own", roles[1]), world.add_role(guild, "other", roles[2])
    guild.everyone.permissions = roles[0]
    bot.role_ids = [own.id]
    guild.owner_id = world.bot.id if is_owner else guild.owner_id
    targets = [guild.id, own.id, other.id, world.bot.id, world.user("Mia").id]
    channel.overwrites = [
        Overwrite(target, for_member=place >= 3, allow=allow, deny=deny)
        for place, (allow, deny) in {place: (allow, deny) for place, allow, deny in overwrites}.items()
        for target in [targets[place]]
    ]
    expected = world.permissions(channel, world.bot.id)
    computed = compute_permissions(
        guild_payload(guild),
        member_payload(bot),
        world.bot.id,
        channel_payload(channel)["permission_overwrites"],
    )
    assert Permission(computed & EVERYTHING) == expected
