"""Training of the voice: sentences, the teacher (flite) that speaks them, two phases, evaluation by a recogniser."""
