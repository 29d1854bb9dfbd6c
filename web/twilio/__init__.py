"""Twilio's door: its webhooks, one message in each, and its Messages API."""
