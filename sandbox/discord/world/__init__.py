"""The state of the sandbox: plain data and what changes it, without rules about who may."""
