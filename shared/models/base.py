"""The base of all tables: constraint names for migrations, and column types."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import BigInteger, DateTime, Dialect, Enum, Interval, MetaData, Text, TypeDecorator, Uuid
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


class TextEnum(TypeDecorator[Any]):
    """A text type with a CHECK on an enum's values. A value that only a newer release knows is read as text."""

    impl = Enum
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Return the function that reads a value."""
        kind = cast(type[enum.StrEnum], cast(Enum, self.impl).enum_class)
        members: Mapping[str, enum.StrEnum] = {member.value: member for member in kind}
        return lambda value: members.get(value, value)


def text_enum(kind: type[enum.StrEnum], *, name: str) -> TextEnum:
    """Return the type of an enum's column. A new value needs a migration."""
    return TextEnum(
        kind,
        name=name,
        native_enum=False,
        length=32,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
    )
