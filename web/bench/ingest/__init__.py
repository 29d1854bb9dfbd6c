"""What it costs to take a webhook in: the servers, the load, and what is measured with them."""
