"""Unit tests of the alerts, executed by promtool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.servers import tools
from tests.monitoring import documents
from tests.support.servers import require


def promtool(*arguments: str | Path) -> None:
    command = [require(tools.PROMTOOL), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def rules_directory(tmp_path: Path) -> Path:
    """A directory with the rules for one namespace."""
    (tmp_path / "questbell.yaml").write_text(documents.rules())
    return tmp_path


def test_promtool_accepts_the_rules(rules_directory: Path) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", rules_directory / "questbell.yaml")


@pytest.mark.parametrize("page", sorted(documents.RULE_TESTS.glob("*.yaml")), ids=lambda page: page.stem)
def test_alerts_fire_exactly_when_expected(rules_directory: Path, page: Path) -> None:
    promtool("test", "rules", shutil.copy(page, rules_directory))
