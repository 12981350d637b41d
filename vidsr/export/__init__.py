"""From weights to files that run anywhere."""
