from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.discord.ids import created_at, delivery_id_of, first_id_at, nonce_for


@given(st.uuids(), st.uuids())
def test_a_nonce_fits_discord_and_differs_for_each_delivery(delivery_id: UUID, other: UUID) -> None:
    assert len(nonce_for(delivery_id)) == 22
    assert nonce_for(delivery_id) == nonce_for(UUID(str(delivery_id)))
    assert (nonce_for(delivery_id) == nonce_for(other)) == (delivery_id == other)


@given(st.uuids())
def test_a_nonce_leads_back_to_its_delivery(delivery_id: UUID) -> None:
    assert delivery_id_of(nonce_for(delivery_id)) == delivery_id


@pytest.mark.parametrize("text", ["", "nothing", "ü" * 22, "*" * 22, "None"])
def test_other_texts_are_not_nonces(text: str) -> None:
    assert delivery_id_of(text) is None


def test_an_id_carries_its_time() -> None:
    in_discords_example = datetime(2016, 4, 30, 11, 18, 25, 796_000, tzinfo=UTC)
    assert created_at(175_928_847_299_117_063) == in_discords_example
    assert created_at(first_id_at(in_discords_example)) == in_discords_example
