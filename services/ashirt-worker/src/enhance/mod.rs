//! What is in a piece of evidence, in words: text in, text out.
