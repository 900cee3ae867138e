//! Queues (SQS) and mail (SES) of Amazon.
