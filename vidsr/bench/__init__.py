"""How fast the models are on this machine, each beside bicubic in the same run."""
