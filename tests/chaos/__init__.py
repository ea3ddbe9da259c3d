"""The fault matrix: real processes and servers, with faults injected at chosen and at random moments.

The oracle compares what the sandbox Discord accepted with what the games required.
"""
