"""How well users' behaviour is found, and how faithful the load made of it is."""
