//! Calls, through the doors that services use.
