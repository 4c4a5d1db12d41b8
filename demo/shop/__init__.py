"""The shop: five services and a stand-in for the card processor, each its own process."""
