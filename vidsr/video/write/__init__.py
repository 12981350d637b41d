"""Encode and multiplex: frames and copied packets into a file, a pipe or an address."""
