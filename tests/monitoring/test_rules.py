"""The alerts, run by Prometheus' own tool over made-up series, where that tool is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.monitoring import written

PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not in PATH, nor named by PROMTOOL")


def promtool(*arguments: str | Path) -> None:
    ran = subprocess.run([str(PROMTOOL), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def ruled(tmp_path: Path) -> Path:
    """A directory with the rules as a release has them."""
    (tmp_path / "questbell.yaml").write_text(written.rules())
    return tmp_path


def test_prometheus_takes_the_rules(ruled: Path) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", ruled / "questbell.yaml")


@pytest.mark.parametrize("page", sorted(written.RULE_TESTS.glob("*.yaml")), ids=lambda page: page.stem)
def test_alerts_fire_when_they_should_and_only_then(ruled: Path, page: Path) -> None:
    promtool("test", "rules", shutil.copy(page, ruled))
