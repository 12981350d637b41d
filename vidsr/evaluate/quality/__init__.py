"""How good a model is: pictures and videos against their originals."""
