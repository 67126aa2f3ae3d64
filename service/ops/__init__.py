"""What operators look at: health, metrics, the feed, and what the gate sees."""
