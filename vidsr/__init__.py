"""vidsr: send less, see more."""
