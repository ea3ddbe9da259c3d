"""Generates docs/custom-resources.md from the CRDs: `python -m tests.unit.controllers.reference`.

A test fails if the page is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import definitions

PAGE = Path(__file__).parents[3] / "docs" / "custom-resources.md"
_HEAD = """# Custom resources

This page is generated from the CRDs in `charts/questbell/definitions`. `kubectl explain scheduler.spec`
prints the same texts. The controllers create one `Scheduler` for each source and one
`DeadLetterReconciler` if there are none. They never overwrite your changes. `conditions` have the
[usual fields](https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#condition-v1-meta).
"""


def page() -> str:
    """Return the page as it must be."""
    return "\n".join([_HEAD, *(_kind(definition["spec"]) for definition in definitions.load())])


def _kind(spec: dict[str, Any]) -> str:
    version, names = spec["versions"][0], spec["names"]
    schema = version["schema"]["openAPIV3Schema"]
    lines = [
        f"## {names['kind']}",
        "",
        f"API version `{spec['group']}/{version['name']}`, {spec['scope'].lower()}, short name "
        f"`{'`, `'.join(names['shortNames'])}`. `kubectl get {names['categories'][0]}` lists all kinds.",
        "",
        _text(schema["description"]),
    ]
    for part in ("spec", "status"):
        lines += ["", f"| {part} field | type | description |", "|---|---|---|", *_rows(schema["properties"][part])]
    columns = [column for column in version["additionalPrinterColumns"] if "description" in column]
    lines += ["", "| column | description |", "|---|---|"]
    lines += [f"| {column['name'].upper()} | {_text(column['description'])} |" for column in columns]
    return "\n".join([*lines, ""])


def _rows(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, field in schema["properties"].items():
        inner = field.get("items", field)
        words = [_text(field["description"]), *_rules(field), *_rules(field.get("items", {}))]
        if name in schema.get("required", ()):
            words.append("Required.")
        yield f"| `{path}{name}` | {_type(field)} | {' '.join(words)} |"
        if "properties" in inner and name != "conditions":  # those are Kubernetes' own
            yield from _rows(inner, f"{path}{name}[]." if "items" in field else f"{path}{name}.")


def _type(field: dict[str, Any]) -> str:
    kind = field["type"] + (f" of {field['items']['type']}s" if "items" in field else "")
    return kind + (f" ({field['format']})" if field.get("format") == "date-time" else "")


def _rules(field: dict[str, Any]) -> Iterator[str]:
    if "enum" in field:
        yield f"One of {', '.join(f'`{value}`' for value in field['enum'])}."
    if {"minimum", "maximum"} <= field.keys():
        yield f"From {field['minimum']} to {field['maximum']}."
    if "default" in field:
        default = field["default"]
        yield f"Default: `{str(default).lower() if isinstance(default, bool) else default}`."
    for rule in field.get("x-kubernetes-validations", ()):
        yield f"The field {rule['message']}."


def _text(words: str) -> str:
    return " ".join(words.split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
