"""The shop's customers: who they are, what they plan, and how they behave when the shop does not answer."""
