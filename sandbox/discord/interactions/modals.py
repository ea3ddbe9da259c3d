"""Submissions of modals.

The bot's layout is kept (labels, or rows in older bots), with only the fields of a submission. Like Discord's client,
this checks required fields and lengths first.
Source: https://docs.discord.com/developers/components/reference#text-input
"""

from __future__ import annotations

from typing import Any

from sandbox.discord.rules.components import LABEL, ROW, TEXT_DISPLAY, TEXT_INPUT
from sandbox.discord.rules.errors import UsageError
from sandbox.discord.world.messages import walk_components

Json = dict[str, Any]


def fill_modal(modal: Json, values: Json) -> Json:
    """Return the interaction data of a modal with `values` by custom id.

    Raises:
        UsageError: a value for an unknown field, an empty required field, or a length out of bounds.
    """
    known = {str(part["custom_id"]) for part in walk_components(modal["components"]) if "custom_id" in part}
    for name in values:
        if name not in known:
            raise UsageError(f"the modal has no field {name!r}; it has {', '.join(sorted(known))}")
    return {"custom_id": modal["custom_id"], "components": [_part(part, values) for part in modal["components"]]}


def _part(part: Json, values: Json) -> Json:
    if part["type"] == LABEL:
        return {"type": LABEL, "id": part.get("id", 1), "component": _field(part["component"], values, part["label"])}
    if part["type"] == ROW:
        children = [_field(child, values, str(child.get("label", ""))) for child in part["components"]]
        return {"type": ROW, "id": part.get("id", 1), "components": children}
    return {"type": TEXT_DISPLAY, "id": part.get("id", 1)}


def _field(field: Json, values: Json, label: str) -> Json:
    custom_id = str(field["custom_id"])
    filled: Json = {"type": field["type"], "id": field.get("id", 1), "custom_id": custom_id}
    required = bool(field.get("required", True))
    if field["type"] == TEXT_INPUT:
        text = str(values.get(custom_id, field.get("value") or ""))
        least, most = field.get("min_length", 1 if required else 0), field.get("max_length", 4000)
        if (text or required) and not least <= len(text) <= most:
            raise UsageError(f"{label} must have {least} to {most} characters, not {len(text)}")
        return {**filled, "value": text}
    picked = values.get(custom_id, [])
    picked = [str(value) for value in picked] if isinstance(picked, list) else [str(picked)]
    if required and not picked:
        raise UsageError(f"{label} must be filled in")
    return {**filled, "values": picked}
