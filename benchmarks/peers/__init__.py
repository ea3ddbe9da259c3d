"""Other schedulers that deliver the same burst on the same servers, which puts its rate in proportion.

Each runs in separate processes as its manual says, with a table instead of Questbell's game: one row for each outcome.
Their packages are the dependency group `peers`, which only the processes of the peers import.
"""
