"""Domain and infrastructure that both workloads stand on; imports nothing of theirs."""
