"""Module names, which matter when a file is run from its own folder: that folder is then first on Python's path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ["bot", "cli", "controllers", "migrations", "sandbox", "shared"]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_top_level_module_shadows_the_standard_library(package: str) -> None:
    modules = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert modules & (sys.stdlib_module_names - {"__main__"}) == set()
