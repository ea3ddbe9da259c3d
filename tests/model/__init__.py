"""The rules of the schedule and the ledger as a model, held against the code on a PostgreSQL and docs/states.md.

`world` is a Questbell in one loop (`hosts`, `controllers`, `bots`, `broker`, `discord`), whose processes can die at
any statement (`process`) and whose clock stands still (`ground`). What an action owes is in `plans`, `requests`,
`answers` and `endings`; what a change may be, in `rules`; `observing` compares each committed change with both and
with the page (`table`), and `judge` gives the verdict on a whole run.
"""
