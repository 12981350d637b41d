"""Long films in pieces: what has been done is on disk, and is not done again."""
