"""`python -m cli` is `questbell`."""

from cli.app import main

main()
