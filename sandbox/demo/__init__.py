"""`make demo`: a whole Questbell on one machine, for somebody who wants to see it run."""
