"""Learning: gender pseudo-labels, classifiers, training, scoring."""
