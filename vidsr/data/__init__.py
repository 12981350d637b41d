"""What a network learns from."""
