"""`python -m sandbox.demo` is `make demo`."""

from sandbox.demo.main import main

main(prog_name="make demo")
