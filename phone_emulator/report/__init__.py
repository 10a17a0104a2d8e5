"""Reports: what came of scenarios and calls, for people and for programs."""
