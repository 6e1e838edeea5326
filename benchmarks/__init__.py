"""What measures speed and memory; each module's docstring has the command for its figures."""
