"""Weights that a file packs into several tensors, one kind per file; `unpacking` turns them into the tensors a model means."""
