"""HTML reports of stores and training runs."""
