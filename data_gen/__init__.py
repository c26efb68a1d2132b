"""Tool-use traces to train on: requests, pictures, plans followed by the real agent."""
