from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from bot.delivery.nonce import nonce


@given(st.uuids(), st.uuids())
def test_a_nonce_fits_discord_and_differs_for_each_delivery(one: UUID, other: UUID) -> None:
    assert len(nonce(one)) == 22
    assert nonce(one) == nonce(UUID(str(one)))
    assert (nonce(one) == nonce(other)) == (one == other)
