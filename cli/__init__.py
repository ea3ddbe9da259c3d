"""The command line: the workloads' entry point and the administrator's commands."""
