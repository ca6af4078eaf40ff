"""What makes files outlive a crash of the machine."""
