"""The definitions in YAML match the models, the topology and the default resources."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from controllers.resources.defaults import DEFAULTS, Default
from controllers.resources.models import DEAD_LETTER_RECONCILER, GROUP, KINDS, SCHEDULER, VERSION, Kind
from shared.messaging.topology import DEAD_LETTER_QUEUES
from tests.support import definitions
from tests.unit.controllers import reference

SCHEMAS = {
    definition["spec"]["names"]["kind"]: definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for definition in definitions.load()
}
FIELDS = [(kind, name) for kind in KINDS for name in kind.spec.model_fields]


def spec_of(kind: Kind) -> dict[str, Any]:
    properties: dict[str, Any] = SCHEMAS[kind.name]["spec"]["properties"]
    return properties


@pytest.mark.parametrize(("kind", "definition"), list(zip(KINDS, definitions.load(), strict=True)))
def test_each_definition_has_the_names_of_its_kind(kind: Kind, definition: dict[str, Any]) -> None:
    assert definition["metadata"]["name"] == f"{kind.plural}.{GROUP}"
    assert (definition["spec"]["names"]["kind"], definition["spec"]["names"]["plural"]) == (kind.name, kind.plural)
    assert [version["name"] for version in definition["spec"]["versions"]] == [VERSION]


@pytest.mark.parametrize("kind", KINDS)
def test_model_and_definition_have_the_same_fields(kind: Kind) -> None:
    assert {to_camel(name) for name in kind.spec.model_fields} == spec_of(kind).keys()


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_model_and_definition_have_the_same_defaults(kind: Kind, name: str) -> None:
    field, defined = kind.spec.model_fields[name], spec_of(kind)[to_camel(name)]
    if field.is_required():
        assert "default" not in defined
    else:
        expected = list(field.default) if isinstance(field.default, tuple) else field.default
        assert defined["default"] == expected


@pytest.mark.parametrize(("kind", "name"), [pair for pair in FIELDS if pair[0].spec.model_fields[pair[1]].metadata])
def test_model_and_definition_have_the_same_bounds(kind: Kind, name: str) -> None:
    bounds = {type(bound).__name__: bound for bound in kind.spec.model_fields[name].metadata}
    defined = spec_of(kind)[to_camel(name)]
    assert (bounds["Ge"].ge, bounds["Le"].le) == (defined["minimum"], defined["maximum"])


def test_the_sources_are_those_of_the_model() -> None:
    annotation: Any = SCHEDULER.spec.model_fields["source"].annotation
    assert spec_of(SCHEDULER)["source"]["enum"] == list(annotation)


def test_the_dead_letter_queues_are_those_of_the_topology() -> None:
    expected = list(DEAD_LETTER_QUEUES)
    assert spec_of(DEAD_LETTER_RECONCILER)["queues"]["items"]["enum"] == expected


def test_both_kinds_have_the_same_conditions() -> None:
    scheduler, reconciler = (SCHEMAS[kind.name]["status"]["properties"]["conditions"]["items"] for kind in KINDS)
    assert scheduler == reconciler


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_description(kind: Kind) -> None:
    def undescribed(schema: dict[str, Any], path: str) -> list[str]:
        inner = schema.get("properties", {}) | (
            {"[]": schema["items"]} if "properties" in schema.get("items", {}) else {}
        )
        here = [] if "description" in schema else [path]
        return here + [found for name, field in inner.items() for found in undescribed(field, f"{path}.{name}")]

    assert undescribed(SCHEMAS[kind.name]["spec"], "spec") + undescribed(SCHEMAS[kind.name]["status"], "status") == []


@pytest.mark.parametrize("default", DEFAULTS, ids=str)
def test_the_specs_of_the_default_resources_are_valid(default: Default) -> None:
    default.kind.spec.model_validate(default.body["spec"])


def test_the_reference_page_matches_the_definitions() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), (
        "run python -m tests.unit.controllers.reference"
    )
