"""An ONNX graph as PyTorch calls, and the devices they run on."""
