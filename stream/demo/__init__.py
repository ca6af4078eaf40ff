"""The whole job on real data in one command: broker, producer, learner, view, summary and plot."""
