"""Pictures of alerts: fetched from the log while it still has them, kept in a folder for each alert."""
