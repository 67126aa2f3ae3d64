"""One folder a dialect; none imports another."""
