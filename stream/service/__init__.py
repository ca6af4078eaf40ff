"""The long-running process: one loop that joins log, learner and checkpoints, whatever log it is."""
