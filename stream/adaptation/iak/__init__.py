"""IAK (arXiv 2501.14268): bottleneck kernels after a frozen backbone."""
