//! Mail by Amazon.
