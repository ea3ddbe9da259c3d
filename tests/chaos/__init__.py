"""The fault matrix: real processes and servers, faults at chosen and at random moments, judged by what the sandbox
Discord accepted against what the schedule demanded.
"""
