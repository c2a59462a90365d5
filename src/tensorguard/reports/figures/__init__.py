"""Pictures, drawn by matplotlib without a display; imported only where one is asked for."""
