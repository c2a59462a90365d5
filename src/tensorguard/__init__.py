"""TensorGuard: tell from the weights alone where a large language model comes from."""

__version__ = "0.1.0"
