"""The oracle: decides whether everything was delivered exactly once.

It has three parts. `expected` says what the games' history requires, `observed` says what Discord accepted, and
`compare` finds what is lost, doubled, wrong, unsettled, unknown or late. The demo, the fault matrix, the benchmarks and
the cluster tests all use it; they differ only in where the facts come from.

The product's rows are not trusted: only the history of the games decides what is due, and only Discord's own record
decides what was delivered.
"""
