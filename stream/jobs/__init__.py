"""The Flink graphs: couriers that carry messages from Kafka to the pure logic and back."""

JOBS = ("detect", "decide", "analytics")
"""The jobs of a site, in the order of the way."""
