"""The features that users see on Discord. Each package has a `setup` function."""
