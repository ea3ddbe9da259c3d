"""What `--help` shows, in the narrowest terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from cli.app import main


def paths(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from paths(child, (*path, name))


@pytest.mark.parametrize("path", list(paths(main)), ids=" ".join)
def test_the_help_of_every_command_has_whole_sentences(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"], terminal_width=40)
    assert result.exit_code == 0
    assert not re.search(r"\w\.\.\.", result.output)
    sentences = " ".join(result.output.partition("\n\n")[2].partition("Options:")[0].split())
    assert sentences.endswith(".")
