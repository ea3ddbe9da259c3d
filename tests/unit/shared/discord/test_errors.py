from __future__ import annotations

import pytest

from shared.discord.errors import (
    ERROR_INFO,
    Handling,
    InvalidTokenError,
    RequestRejectedError,
    TemporarilyUnavailableError,
    UncertainResultError,
    error_for,
)
from tests.unit.shared.discord.reference import PAGE, page


def test_the_page_of_errors_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.unit.shared.discord.reference"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_a_server_error_may_have_sent_the_message(status: int) -> None:
    assert isinstance(error_for(status, code=0, text="", retry_after=None), UncertainResultError)


def test_a_rate_limit_carries_discords_pause() -> None:
    error = error_for(429, code=0, text="You are being rate limited.", retry_after=1.5)
    assert isinstance(error, TemporarilyUnavailableError)
    assert error.retry_after == 1.5


@pytest.mark.parametrize("code", [code for code, info in ERROR_INFO.items() if info.handling is not Handling.RETRY])
def test_a_rejection_says_what_a_person_should_do(code: int) -> None:
    error = error_for(403, code=code, text="", retry_after=None)
    assert isinstance(error, RequestRejectedError)
    assert error.code == code
    assert error.can_lift is (ERROR_INFO[code].handling is Handling.WAIT)
    assert ERROR_INFO[code].advice in str(error)


@pytest.mark.parametrize("code", [code for code, info in ERROR_INFO.items() if info.handling is Handling.RETRY])
def test_a_temporary_error_can_be_retried(code: int) -> None:
    assert isinstance(error_for(403, code=code, text="", retry_after=None), TemporarilyUnavailableError)


def test_a_revoked_token_is_a_temporary_error_so_that_no_reminder_is_lost() -> None:
    assert isinstance(error_for(401, code=0, text="401: Unauthorized", retry_after=None), InvalidTokenError)
    assert issubclass(InvalidTokenError, TemporarilyUnavailableError)


def test_an_unknown_error_code_is_a_rejection_with_discords_text() -> None:
    with pytest.raises(RequestRejectedError, match="Something new"):
        raise error_for(400, code=99999, text="Something new", retry_after=None)


def test_an_unknown_lack_of_permission_can_be_lifted() -> None:
    error = error_for(403, code=99999, text="Something new", retry_after=None)
    assert isinstance(error, RequestRejectedError)
    assert error.can_lift


@pytest.mark.parametrize("status", [400, 403, 404])
def test_an_answer_without_an_error_code_is_temporary(status: int) -> None:
    assert isinstance(error_for(status, code=0, text="not JSON", retry_after=None), TemporarilyUnavailableError)
