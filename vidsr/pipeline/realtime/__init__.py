"""Keep up with a live stream: measure each frame, compute less when time is short, and report the delay."""
