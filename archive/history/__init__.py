"""What was seen, kept for months and found again: a row a track, an event and a window, as Parquet in a folder."""
