"""The only floor that speaks Redis."""
