"""Assistants that come with the engine."""
