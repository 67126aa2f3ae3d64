"""What a token is and may do: no HTTP here."""
