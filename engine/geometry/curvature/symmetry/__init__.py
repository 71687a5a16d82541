"""Which flatness measures move while every order of items stays."""
