"""The base of all tables: constraint names for migrations, and column types."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import BigInteger, DateTime, Enum, Interval, MetaData, Text, Uuid
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The declarative base of every table."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        timedelta: Interval(),
        UUID: Uuid(),
        int: BigInteger(),
        str: Text(),
    }


def new_id() -> UUID:
    """Return a UUIDv7, which is time-ordered, so indexes grow at one end."""
    return uuid_utils.compat.uuid7()


def text_enum(kind: type[enum.StrEnum], *, name: str) -> Enum:
    """Return a text type with a CHECK on the enum's values. A new value needs a migration."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        length=32,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
    )
