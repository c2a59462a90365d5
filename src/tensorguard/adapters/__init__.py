"""Adapters on a base model, applied block by block as it is read."""
