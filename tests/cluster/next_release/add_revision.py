"""Make the installed release the next one: add a revision that only expands, and have the workloads wait for it.

The revision changes the tables that are written every second, so that it has to share them with the release before.
"""

from __future__ import annotations

import compileall
import py_compile
import re
from pathlib import Path

import migrations
import shared
from migrations.command import head

REVISION = '''"""What the release after this one needs."""

from alembic import op

revision, down_revision, branch_labels, depends_on = "{new}", "{old}", None, None


def upgrade() -> None:
    for table in ("game", "notification_schedule"):
        op.execute(f"ALTER TABLE {{table}} ADD COLUMN next_release text")


def downgrade() -> None:
    for table in ("game", "notification_schedule"):
        op.execute(f"ALTER TABLE {{table}} DROP COLUMN next_release")
'''

old = head()
versions = Path(migrations.__file__).parent / "versions"
new = f"{int(old) + 1:04d}"
(versions / f"{new}_next_release.py").write_text(REVISION.format(new=new, old=old))
schema = Path(shared.__file__).parent / "schema.py"
code, replaced = re.subn(rf'^REVISION = "{old}"$', f'REVISION = "{new}"', schema.read_text(), flags=re.MULTILINE)
if replaced != 1:
    raise SystemExit(f"{schema} does not say REVISION = {old!r}")
schema.write_text(code)
for directory in (schema.parent, versions):
    # As the image does it: the compiled code counts, whatever the source says.
    compileall.compile_dir(
        directory, quiet=1, force=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
