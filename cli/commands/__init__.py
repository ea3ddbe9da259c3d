"""The administrator's commands. They import neither workloads nor kopf, discord.py or the migrations."""
