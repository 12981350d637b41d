"""Between FFmpeg's frames and ours: pixel formats, scaling, side data."""
