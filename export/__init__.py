"""The shelf: the models that ship with vidsr."""
