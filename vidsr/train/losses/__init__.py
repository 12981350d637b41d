"""Losses, by the names that recipes use. Images are (n, c, h, w) float in [0, 1]."""
