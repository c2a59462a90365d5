"""Where bytes are: anything that can be read at an offset."""
