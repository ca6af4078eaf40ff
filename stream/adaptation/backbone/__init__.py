"""A backbone frozen for good after pre-training: alone the control `tune-head`, and what PeterRec and IAK stand on."""
