"""The Kopf operator. Custom resources say which loops run, and the loops publish due rows."""
