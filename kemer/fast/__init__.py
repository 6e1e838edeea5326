"""Encoders for inference, at the speed that the machine allows."""
