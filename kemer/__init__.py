"""What training KEMER needs and inference does not."""
