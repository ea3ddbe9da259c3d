"""The schema's history, by Alembic. Revisions are expand/contract, so release N's schema serves release N-1."""
