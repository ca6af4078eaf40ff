"""`stream bench floor`: what is published beside the best of simple experts, and what must not matter."""
