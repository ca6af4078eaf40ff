"""The network: parts with tables of rows by name, a layout that says whose each row is, and a step that trains them."""
