"""What stands before page and API: who may ask, how much, how often, and what answers carry."""
