"""The loops of the controllers in plain asyncio. They run and can be tested without Kubernetes."""
