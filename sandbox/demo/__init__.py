"""`make demo`: all of Questbell on one machine, with a simulated or the real Discord."""
