"""The administrator's commands. They import neither workload, nor kopf, discord.py and the migrations."""
