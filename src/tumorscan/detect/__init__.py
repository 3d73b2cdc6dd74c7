"""A scan to a finding: engines, calibration, decision."""
