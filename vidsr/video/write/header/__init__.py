"""What FFmpeg's muxers cannot be asked to write, put into the header of the finished file."""
