//! What holds for all four enhancements.
