"""Messaging over RabbitMQ: the envelope, the topology, the publisher and the consumer."""
