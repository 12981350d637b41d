"""TensorRT as an engine."""
