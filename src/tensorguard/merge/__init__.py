"""One unified safetensors file from shards, or from a base and its adapter."""
