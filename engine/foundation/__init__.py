"""What every room stands on: configs, results, progress, seeds, devices, files, errors."""
