"""Hessian products of the loss, their extreme eigenpairs, traces and spectral densities."""
