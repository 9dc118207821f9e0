"""Where requests are met, and what an HTTP library sees instead of a network."""
