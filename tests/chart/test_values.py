"""values.yaml, its schema and its documentation agree, and invalid values are rejected before installation."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from shared.settings import Timing
from tests.chart import reference
from tests.support.helm import CHART, SANDBOX, Helm, HelmError

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
VALUES = reference.values()
OPEN = {
    "#/properties/global",  # Helm's own, for a chart within another
    "#/definitions/labels",  # the user's names
    "#/definitions/amounts",
    "#/definitions/kubernetes",  # checked by the API server
}


def test_the_schema_is_closed_at_every_level() -> None:
    left_open = {path for path, schema in _objects(SCHEMA, "#") if schema.get("additionalProperties") is not False}
    assert left_open == OPEN


def test_the_schema_contains_exactly_the_documented_values() -> None:
    known = set(_properties(SCHEMA, ""))
    written = {value.path for value in VALUES}
    assert known - written == {"global", *(f"timing.{to_camel(name)}" for name in Timing.model_fields)}
    assert written <= known


def test_every_value_has_a_comment() -> None:
    assert [value.path for value in VALUES if not value.is_group and not value.comment] == []


def test_the_table_of_values_is_up_to_date() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run python -m tests.chart.reference"


def test_the_descriptions_in_the_schema_are_up_to_date() -> None:
    assert reference.SCHEMA.read_text(encoding="utf-8") == reference.schema(), "run python -m tests.chart.reference"


def test_every_time_out_is_documented() -> None:
    [timing] = [value for value in VALUES if value.path == "timing"]
    for name in Timing.model_fields:
        assert to_camel(name) in timing.comment


@pytest.mark.parametrize("value", [value for value in VALUES if value.is_group], ids=lambda value: value.path)
def test_an_unknown_value_is_rejected_in_every_group(value: reference.Value, helm: Helm) -> None:
    values: dict[str, Any] = {"misspelt": 1}
    for key in reversed(value.path.split(".")):
        values = {key: values}
    with pytest.raises(HelmError, match="'misspelt' not allowed"):
        helm.template(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bot": {"replicas": 2}}, "'replicas' not allowed"),
        ({"controllers": {"replicas": 0}}, "minimum"),
        ({"bot": {"limits": {"gamesPerHost": 0}}}, "minimum"),
        ({"bot": {"membersIntent": "yes"}}, "want boolean"),
        ({"bot": {"shards": "many"}}, "auto"),
        ({"bot": {"shards": 0}}, "minimum"),
        ({"bot": {"processes": 11}}, "maximum"),
        ({"bot": {"shards": "auto", "processes": 2}}, "Set bot.shards to a number from 2 on"),
        ({"bot": {"shards": 2, "processes": 3}}, "Set bot.shards to a number from 3 on"),
        ({"timing": {"lease": 0}}, "exclusiveMinimum"),
        ({"log": {"level": "loud"}}, "must be one of"),
        ({"image": {"tag": 1.1}}, "got number, want string"),
        ({"externalRabbitmq": {"url": "http://mq"}}, "does not match pattern"),
        ({"bot": {"extraEnv": [{"nam": "X"}]}}, "missing property 'name'"),
        ({"postgresql": {"persistence": {"size": "big"}}}, "does not match pattern"),
        ({"bot": {"resources": {"limits": {"memory": "64ki"}}}}, "does not match"),
        ({"bot": {"extraVolumeMounts": [{"name": "ca"}]}}, "missing property 'mountPath'"),
    ],
)
def test_an_invalid_value_is_rejected(values: dict[str, Any], message: str, helm: Helm) -> None:
    with pytest.raises(HelmError, match=message):
        helm.template({**SANDBOX, **values})


def test_the_examples_in_the_docs_are_valid(helm: Helm) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", reference.PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = [block for block in map(yaml.safe_load, blocks) if "apiVersion" not in block]
    assert len(shown) == 4
    for values in shown:
        discord = {"existingSecret": {"name": "discord"}}
        assert helm.template({"discord": discord, **values}).pods()["bot"]


def test_chart_image_and_program_have_the_same_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    program = tomllib.loads((CHART.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (program, program)


def _objects(schema: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, value in schema.items():
            yield from _objects(value, f"{path}/{key}")


def _properties(schema: dict[str, Any], path: str) -> Iterator[str]:
    for name, value in schema.get("properties", {}).items():
        here = f"{path}.{name}".lstrip(".")
        yield here
        yield from _properties(value, here)
