"""What can go wrong, made to go wrong: each test produces a fault, and looks at sentence, exit code and disk."""
