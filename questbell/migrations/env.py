"""Runs the revisions on the connection that `questbell.migrations.command` opened."""

from __future__ import annotations

from alembic import context

from questbell.shared.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
