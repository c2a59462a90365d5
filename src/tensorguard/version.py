"""The version, in a file of its own so that every stage can name it without importing the package's public names."""

__version__ = "0.1.0"
