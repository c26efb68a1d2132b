"""The skills that work at once, with nothing downloaded."""
