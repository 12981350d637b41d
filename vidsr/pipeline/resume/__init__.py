"""Jobs in segments that can be resumed."""
