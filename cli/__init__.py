"""The command line: workloads and administrator's commands."""
