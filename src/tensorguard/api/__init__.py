"""All wiring: what a user asks for, put together from the stages. The command line is a thin layer over this."""
