"""A model for other runtimes: its arithmetic as an ONNX graph, and in words how to encode for it."""
