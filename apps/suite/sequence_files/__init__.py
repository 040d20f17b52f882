"""Files of sequences and of texts with labels or values, in every form that tasks read."""
