"""Bytes and files: pipes, atomic writes, cache folders, names."""
