"""The work of the controllers as plain asyncio: no Kubernetes here, so that a loop can be run and tested by itself."""
