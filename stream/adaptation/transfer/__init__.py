"""What a schema change does to the layers: keep by name, replace, begin anew, or ignore what is new."""
