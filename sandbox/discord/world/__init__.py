"""The state of the sandbox: plain data and the functions that change it, without permission checks."""
