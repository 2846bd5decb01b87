"""The agent of one site: it reads cameras, decides what is worth sending and publishes frames. Start at `agent.py`."""
