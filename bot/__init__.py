"""The Discord bot: delivers what is due (`consumers`, `delivery`) and answers people (`features`)."""
