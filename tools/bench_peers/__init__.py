"""The parts of tools/bench-peers: servers set up for measuring, rows, rounds, and the table."""
