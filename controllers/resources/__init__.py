"""The custom resources: their specs as frozen models, and their definitions (`crds/`) for the API server."""
