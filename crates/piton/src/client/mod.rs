//! Requests to others: to services beside this one, and to strangers.
