"""The console's API: REST under /api, server-sent events, health and metrics."""
