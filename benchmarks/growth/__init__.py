"""The time that the product's functions take as its tables grow."""
