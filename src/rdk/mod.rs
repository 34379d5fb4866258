//! Safe librdkafka. Knows nothing of Tcl.
