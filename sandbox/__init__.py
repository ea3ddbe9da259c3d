"""A complete Questbell on one machine: private servers, the simulated Discord and the real workloads."""
