"""How many bits a model saves."""
