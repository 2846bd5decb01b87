"""The clients' authority, in a process of its own beside the console."""
