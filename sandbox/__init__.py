"""A whole Questbell on one machine: real servers of its own, a Discord of its own, and the real workloads between
them."""
