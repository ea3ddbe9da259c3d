"""`python -m questbell` is `questbell`."""

from questbell.cli import main

main()
