"""`python -m sandbox.servers` installs what the servers need: the first step of `make test`."""

from __future__ import annotations

import sys
from functools import partial

from sandbox.demo.progress import Progress
from sandbox.servers import install_all
from shared import logs, process
from shared.settings import LogSettings

logs.configure(LogSettings(format="console", level="warning"), workload="sandbox", stream=sys.stderr)
process.run(process.run_until_signalled(partial(install_all, report=Progress().step)))
