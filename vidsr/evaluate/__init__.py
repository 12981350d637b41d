"""Measure models: image and video quality, and bandwidth saved."""
