"""Findings in the forms that others read: DICOM objects, a report as PDF."""
