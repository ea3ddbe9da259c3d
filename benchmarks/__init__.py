"""`make bench`: how fast Questbell is, measured on real servers and beside what the same libraries do bare.

Rates alone say more about a machine than about Questbell, so each stage is also a ratio to the least that any program
could do with the same messages, measured in turn within the same minute.
"""
