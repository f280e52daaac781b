"""Mutation testing of the engine: see tools/mutate and docs/testing.md."""
