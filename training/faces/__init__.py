"""The recipes of the two face models: the localiser (boxes and five points) and the embedder (vector and quality)."""
