"""What a person who runs Questbell asks it: what is stuck, what happened, can this work, what after a restore."""
