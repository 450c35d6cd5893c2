"""Teaches `models.synthesis`: sentences, their speaker (flite), two trainings, the evaluation by a recogniser."""
