"""From a recipe and data to weights."""
