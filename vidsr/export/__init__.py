"""Export: from weights to model files."""
