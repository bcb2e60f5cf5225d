"""The demo business: a quarter of a small solar firm, played through the same verbs that people use."""
