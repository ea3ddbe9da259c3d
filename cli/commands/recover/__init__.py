"""`questbell recover`: after a restore, find out what was sent since the backup."""
