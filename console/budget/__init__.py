"""The alert budget: how many alerts an hour are wanted, and which thresholds hold that at the highest value."""
