//! Every documented filter of a large table reaches an index, as the application role, under row level security.
