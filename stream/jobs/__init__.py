"""The Flink graphs: couriers that carry messages from Kafka to the pure logic and back."""
