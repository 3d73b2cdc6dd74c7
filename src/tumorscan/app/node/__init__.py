"""The node beside a PACS: studies come in by C-STORE or DICOMweb, results go back the way they came."""
