"""The models and defaults of the custom resources."""
