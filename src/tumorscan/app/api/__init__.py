"""Pictures and volumes in, findings out, for programs: HTTP and JSON."""
