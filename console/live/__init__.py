"""Live pictures: read from the topics, matched with their tracks, and never shown as live when they are not."""
