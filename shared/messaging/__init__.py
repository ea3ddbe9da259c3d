"""Messaging over RabbitMQ."""
