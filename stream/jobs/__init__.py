"""The Flink graphs: couriers that carry messages from Kafka to the pure logic and back."""

JOBS = ("detect", "decide", "analytics", "site")
"""The jobs of a site, in the order of the way; `site` only runs where some camera of the config identifies people."""
