"""Bits saved by encoding video at a lower resolution and upscaling it at the receiver."""
