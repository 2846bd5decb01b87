"""What every part of Vedette agrees on: messages, topics, config, manifests, metric names and errors."""
