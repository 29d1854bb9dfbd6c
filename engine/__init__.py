"""Midstream's engine: sessions, waves, policies, recovery and the outbox, on Trio."""
