"""What a graph with edges calls its inputs and outputs."""

PLANES_IN = ("in.y", "in.u", "in.v")  # (1, 1, height, width), uint8 at 8 bits, else uint16
PLANES_OUT = ("out.y", "out.u", "out.v")  # the same, enlarged
UNSHUFFLED = "out.unshuffled"
"""In place of out.y: (1, height, width, scale²), every pixel's enlargement line by line."""

UNSHUFFLED_CHROMA = "out.unshuffled.chroma"
"""In place of out.u and out.v: (1, height, width, both planes' samples of every pixel), U first."""

FINITE = "out.finite"
"""Beside the planes, where it is asked for: a float32 that is finite exactly where the network's picture is."""

REBUILD = "vidsr.rebuild"
"""In the metadata: the command that builds a TensorRT engine for the graph."""
