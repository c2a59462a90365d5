"""How a run is told to machines: log lines, metrics and spans, made of progress events. Nothing is imported until it is asked for."""
