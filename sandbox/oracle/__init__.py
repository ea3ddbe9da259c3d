"""The oracle: decides whether everything was delivered exactly once.

`expected` says which reminders the games' history requires, `observed` says what Discord accepted, and `compare` finds
what is lost, doubled, wrong, unsettled, unknown or late. `personal`, `minimum`, `seats` and `occurrences` do the same
for what else follows from a game, and `final_state` checks what must hold at the end. The demo, the fault matrix, the
benchmarks and the cluster tests all use it; they differ only in where the facts come from.

The product's rows are not trusted: only the history of the games decides what is due, and only Discord's own record
decides what was delivered.
"""
