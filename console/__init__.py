"""The console: what operators live in, and the same things for other software through an API."""
