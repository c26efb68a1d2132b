"""What train_detector.py is made of."""
