"""How weights move: optimisers, steppers around them, weight averaging and learning rates."""
