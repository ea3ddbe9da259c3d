"""The `/game` commands, their previews and questions, and the buttons to answer a game. The delivery code sends
messages from the rows they write."""

from __future__ import annotations

from discord import app_commands

from bot.client import QuestbellClient
from bot.features.buttons import ROW_ID
from bot.features.games.cancellation import CancelButton, KeepButton
from bot.features.games.commands import GameCommands
from bot.features.games.confirmations import AskButton, ConfirmButton
from bot.features.games.drafts import (
    DiscardButton,
    EditButton,
    MoreButton,
    PostButton,
    SignUpsButton,
    submit_form,
    submit_other_form,
)
from bot.features.games.edit_form import EDIT_FORM_ID, SHOWN, EditAgainButton, EditGameButton, submit_edit_form
from bot.features.games.form import FORM_ID, MORE_FORM_ID, SIGN_UPS_FORM_ID
from bot.features.games.minimum import CancelSmallGameButton, KeepSmallGameButton
from bot.features.games.signup import JoinButton, LeaveButton, MaybeButton, SlotSelect, TakeButton
from bot.features.games.snooze import SnoozeButton


def setup(client: QuestbellClient, tree: app_commands.CommandTree[QuestbellClient]) -> None:
    """Add the feature to a client before it connects."""
    tree.add_command(GameCommands())
    client.add_dynamic_items(JoinButton, MaybeButton, LeaveButton, SlotSelect, TakeButton, ConfirmButton, SnoozeButton)
    client.add_dynamic_items(PostButton, EditButton, SignUpsButton, MoreButton, DiscardButton, CancelButton, KeepButton)
    client.add_dynamic_items(CancelSmallGameButton, KeepSmallGameButton, EditGameButton, EditAgainButton, AskButton)
    client.add_form(FORM_ID + ROW_ID, submit_form)
    client.add_form(MORE_FORM_ID + ROW_ID, submit_other_form)
    client.add_form(SIGN_UPS_FORM_ID + ROW_ID, submit_other_form)
    client.add_form(EDIT_FORM_ID + ROW_ID + SHOWN, submit_edit_form)
