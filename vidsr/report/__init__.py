"""HTML pages about what was made."""
