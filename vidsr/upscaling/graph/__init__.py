"""ONNX graphs with their edges: integer planes in, integer planes out."""
