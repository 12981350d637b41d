"""Training: from a recipe and data to weights."""
