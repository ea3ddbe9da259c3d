"""A whole Questbell on a PostgreSQL, in one loop: whatever happens, nothing is lost and nothing is delivered twice.

`world` has the actions on games, the controllers and the bots. Their processes can die at any statement (`process`),
the database's clock is set by the run (`frozen_database`), and RabbitMQ and Discord are stubs that lose, delay and
repeat what the run decides (`broker`, `discord`). `judge` gives the verdict on a run, from what Discord has
and from the history of the games. The database refuses any change of a row that is not in tests/support/transitions.py.
"""
