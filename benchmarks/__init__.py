"""`make bench`: how fast Questbell is on real servers, compared with the bare client libraries.

Rates alone say more about a machine than about Questbell, so each stage is also a ratio to the least that any program
could do with the same messages, measured in turn within the same minute.
"""
