//! Safe Tcl. Knows nothing of Kafka.
