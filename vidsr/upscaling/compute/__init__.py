"""Compute the network where it shows: which tiles need it, which did not change, and where a resize is as good."""
