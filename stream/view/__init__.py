"""What people see of a run: a live view, lines, logs, the summary and the plot; all of them observers."""
