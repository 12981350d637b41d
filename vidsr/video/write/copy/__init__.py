"""Copy the streams that are not upscaled: what a container holds, packets and subtitles."""
