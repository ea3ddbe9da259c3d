from __future__ import annotations

import pytest

from bot.delivery.refusals import MEANINGS, Ambiguous, Postponed, Refused, refusal


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_a_server_error_may_have_sent_the_message(status: int) -> None:
    assert isinstance(refusal(status, code=0, text="", retry_after=None), Ambiguous)


def test_too_fast_says_when_to_come_back() -> None:
    error = refusal(429, code=0, text="You are being rate limited.", retry_after=1.5)
    assert isinstance(error, Postponed)
    assert error.retry_after == 1.5


@pytest.mark.parametrize("code", [code for code, meaning in MEANINGS.items() if not meaning.retry])
def test_a_final_refusal_says_what_a_person_should_do(code: int) -> None:
    error = refusal(403, code=code, text="", retry_after=None)
    assert isinstance(error, Refused)
    assert error.code == code
    assert MEANINGS[code].advice in str(error)


@pytest.mark.parametrize("code", [code for code, meaning in MEANINGS.items() if meaning.retry])
def test_a_refusal_for_now_is_tried_again(code: int) -> None:
    assert isinstance(refusal(403, code=code, text="", retry_after=None), Postponed)


def test_a_revoked_token_loses_no_reminder() -> None:
    assert isinstance(refusal(401, code=0, text="401: Unauthorized", retry_after=None), Postponed)


def test_an_unknown_refusal_is_final_and_keeps_discords_words() -> None:
    with pytest.raises(Refused, match="Something new"):
        raise refusal(400, code=99999, text="Something new", retry_after=None)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_without_a_code_is_none_of_discords(status: int) -> None:
    assert isinstance(refusal(status, code=0, text="(not JSON)", retry_after=None), Postponed)
