"""The Kopf operator: custom resources say which loops run; the loops publish what is due."""
