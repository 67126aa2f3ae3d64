"""What operators look at: health and, later, metrics."""
