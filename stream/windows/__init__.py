"""Event-time windows over tracks, and each camera's own baseline of what is usual in them."""
