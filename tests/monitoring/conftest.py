"""A broker with our topology, and a publisher, as the integration tests have them."""

from tests.integration.conftest import declared, patient, publisher

__all__ = ["declared", "patient", "publisher"]
