"""Checks buttons, selects and modals.

Messages without the components-v2 flag have up to five rows, each of up to five buttons or one select. With the flag
they have up to forty components in any layout. A modal has one to five.
Source: https://docs.discord.com/developers/components/reference
"""

from __future__ import annotations

from typing import Any

from sandbox.discord.rules.form import Form, Path
from sandbox.discord.world.messages import walk_components

Json = dict[str, Any]

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SELECTS = frozenset({3, 5, 6, 7, 8})
LABEL, TEXT_DISPLAY, CONTAINER = 18, 10, 17
LINK_STYLE, PREMIUM_STYLE = 5, 6
MAX_ROWS = 5
MAX_IN_ROW = 5
MAX_V2 = 40
MAX_V2_TEXT = 4000
MAX_CUSTOM_ID = 100
MAX_BUTTON_LABEL = 80
MAX_URL = 512
MAX_OPTIONS = 25
MAX_OPTION_TEXT = 100
MAX_PLACEHOLDER = 150
MAX_MODAL_TITLE = 45
MAX_MODAL_PARTS = 5
MAX_INPUT_LABEL = 45
MAX_INPUT_TEXT = 4000
_BAD_TYPE = ("UNION_TYPE_CHOICES", 'Value of field "type" must be one of the types that are allowed here.')


def check_components(form: Form, value: object, *, v2: bool) -> list[Json]:
    """Check the components of a message and return them."""
    rows = form.items(("components",), value, most=MAX_V2 if v2 else MAX_ROWS)
    if v2:
        _check_v2(form, rows)
    for index, row in enumerate(rows):
        at: Path = ("components", index)
        if row.get("type") == ROW:
            _check_row(form, at, row)
        elif not v2:
            form.add((*at, "type"), *_BAD_TYPE)
    _check_unique(form, rows)
    return rows


def check_modal(data: Json, *, under: Path) -> None:
    """Check a modal that answers an interaction.

    Raises:
        ApiError: 50035 with all errors.
    """
    form = Form(under=under)
    form.text(("title",), data.get("title"), least=1, most=MAX_MODAL_TITLE, optional=False)
    form.text(("custom_id",), data.get("custom_id"), least=1, most=MAX_CUSTOM_ID, optional=False)
    parts = form.items(("components",), data.get("components"), least=1, most=MAX_MODAL_PARTS)
    for index, part in enumerate(parts):
        at: Path = ("components", index)
        if part.get("type") == LABEL:
            form.text((*at, "label"), part.get("label"), least=1, most=MAX_INPUT_LABEL, optional=False)
            _check_input(form, (*at, "component"), form.mapping((*at, "component"), part.get("component")))
        elif part.get("type") == ROW:
            children = form.items((*at, "components"), part.get("components"), least=1, most=1)
            for place, child in enumerate(children):
                path = (*at, "components", place)
                form.text((*path, "label"), child.get("label"), least=1, most=MAX_INPUT_LABEL, optional=False)
                _check_input(form, path, child)
        elif part.get("type") != TEXT_DISPLAY:
            form.add((*at, "type"), *_BAD_TYPE)
    _check_unique(form, parts)
    form.refuse()


def _check_input(form: Form, path: Path, part: Json) -> None:
    form.text((*path, "custom_id"), part.get("custom_id"), least=1, most=MAX_CUSTOM_ID, optional=False)
    form.text((*path, "placeholder"), part.get("placeholder"), most=MAX_PLACEHOLDER)
    form.text((*path, "value"), part.get("value"), most=MAX_INPUT_TEXT)
    if part.get("type") in SELECTS:
        _check_select(form, path, part)
    elif part.get("type") == TEXT_INPUT and part.get("style") not in (1, 2):
        form.add((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2).")


def _check_row(form: Form, path: Path, row: Json) -> None:
    children = form.items((*path, "components"), row.get("components"), least=1, most=MAX_IN_ROW)
    if len(children) > 1 and any(child.get("type") in SELECTS for child in children):
        form.add(
            (*path, "components"),
            "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
            "The specified component exceeds the maximum width",
        )
    for index, child in enumerate(children):
        at = (*path, "components", index)
        if child.get("type") == BUTTON:
            _check_button(form, at, child)
        elif child.get("type") in SELECTS:
            form.text((*at, "custom_id"), child.get("custom_id"), least=1, most=MAX_CUSTOM_ID, optional=False)
            _check_select(form, at, child)
        else:
            form.add((*at, "type"), *_BAD_TYPE)


def _check_button(form: Form, path: Path, button: Json) -> None:
    style = button.get("style")
    if style not in range(1, PREMIUM_STYLE + 1):
        form.add((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3, 4, 5, 6).")
    form.text((*path, "label"), button.get("label"), most=MAX_BUTTON_LABEL)
    if style == LINK_STYLE:
        form.text((*path, "url"), button.get("url"), least=1, most=MAX_URL, optional=False)
        if button.get("custom_id") is not None:
            form.add(
                (*path, "custom_id"),
                "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE",
                "A link button has no custom id",
            )
    elif style != PREMIUM_STYLE:
        form.text((*path, "custom_id"), button.get("custom_id"), least=1, most=MAX_CUSTOM_ID, optional=False)
        if not button.get("label") and not button.get("emoji"):
            form.add((*path, "label"), "BUTTON_COMPONENT_INVALID_LABEL", "A button must have a label or an emoji")


def _check_select(form: Form, path: Path, select: Json) -> None:
    form.text((*path, "placeholder"), select.get("placeholder"), most=MAX_PLACEHOLDER)
    if select.get("type") != STRING_SELECT:
        return
    options = form.items((*path, "options"), select.get("options"), least=1, most=MAX_OPTIONS)
    for index, option in enumerate(options):
        for name, optional in (("label", False), ("value", False), ("description", True)):
            form.text(
                (*path, "options", index, name),
                option.get(name),
                least=0 if optional else 1,
                most=MAX_OPTION_TEXT,
                optional=optional,
            )
    values = [option.get("value") for option in options]
    if len(set(values)) < len(values):
        form.add(
            (*path, "options"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used"
        )


def _check_v2(form: Form, parts: list[Json]) -> None:
    everything = list(walk_components(parts))
    if len(everything) > MAX_V2:
        form.add(
            ("components",),
            "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
            f"The maximum of {MAX_V2} components is exceeded",
        )
    if sum(len(str(part.get("content", ""))) for part in everything if part.get("type") == TEXT_DISPLAY) > MAX_V2_TEXT:
        form.add(("components",), "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", f"Displayable text exceeds {MAX_V2_TEXT}")


def _check_unique(form: Form, parts: list[Json]) -> None:
    seen: set[str] = set()
    for part in walk_components(parts):
        custom_id = part.get("custom_id")
        if custom_id is None:
            continue
        if custom_id in seen:
            form.add(("components",), "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
        seen.add(custom_id)
