"""Quality of upscaled images and videos, measured against the originals."""
