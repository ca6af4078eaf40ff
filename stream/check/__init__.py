"""Looking at interactions and schema versions before a learner does: what is wrong, and what looks wrong."""
