"""Midstream's web side: settings, the WhatsApp webhook and client, the server."""
