"""Still and animated images that FFmpeg reads wrongly, or in part: HEIF, TIFF, animated WebP and others."""
