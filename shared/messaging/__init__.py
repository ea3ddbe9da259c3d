"""The way through RabbitMQ: what is said (envelope), where it goes (topology), and how it is sent and answered."""
