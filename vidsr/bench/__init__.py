"""Measures how fast models are on this machine, each next to bicubic in the same run."""
