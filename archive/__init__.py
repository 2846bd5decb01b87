"""What is kept for longer than the log: evidence of alerts (later history and the model registry)."""
