"""The WhatsApp edge: what Meta posts to us, and what we send through its Graph API."""
