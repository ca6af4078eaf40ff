"""What an installation may have beside this package: optional packages, and a folder for downloads."""
