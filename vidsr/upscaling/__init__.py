"""From a frame to a larger frame."""
