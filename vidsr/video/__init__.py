"""Everything that touches FFmpeg."""
