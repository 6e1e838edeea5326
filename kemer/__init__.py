"""What training KEMER needs and inference does not: arguments, data, training, evaluation, report."""
