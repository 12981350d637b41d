"""Open and decode: frames of one video stream, packets of all others."""
