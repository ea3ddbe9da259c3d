from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.servers.account import Account, private_home, server_account

STRANGER = Account("stranger", uid=54321, gid=54321)


@pytest.fixture
def open_directory(tmp_path: Path) -> Path:
    """A directory that others could enter if it were at the root."""
    directory = tmp_path / "open"
    directory.mkdir(mode=0o755)
    return directory


def close(directory: Path) -> None:
    """To everybody but its owner."""
    directory.chmod(0o700)


def test_a_directory_in_a_closed_one_cannot_be_entered(open_directory: Path) -> None:
    close(open_directory.parent)
    assert not STRANGER.may_enter(open_directory)


def test_a_directory_open_to_all_can_be_entered() -> None:
    assert STRANGER.may_enter(Path("/usr/bin"))


def test_the_owner_may_enter_a_closed_directory(open_directory: Path) -> None:
    ourselves = Account("us", uid=os.getuid(), gid=os.getgid())
    close(open_directory)
    assert ourselves.may_enter(open_directory)


async def test_data_is_stored_elsewhere_if_the_account_cannot_enter_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "own", lambda *_: None)
    close(tmp_path)
    async with private_home(tmp_path, "test", account=STRANGER) as home:
        assert tmp_path not in home.parents
    assert not home.exists()


async def test_data_is_stored_in_the_given_directory_and_removed_at_the_end(tmp_path: Path) -> None:
    async with private_home(tmp_path, "test", account=None) as home:
        (home / "file").touch()
        assert home.parent == tmp_path
        assert home.stat().st_mode & 0o777 == 0o700
    assert not home.exists()


def test_servers_run_under_our_account_unless_it_is_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert server_account("postgres") is None


def test_root_uses_nobody_if_the_account_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    chosen = server_account("no-such-account")
    assert chosen is not None
    assert chosen.name == "nobody"
