"""Google Cloud Storage as far as uploads of archives and unmodified Google clients need it.

Rules first, wire last: `ranges` and `chunks` decide, `spool`, `sessions` and `objects` keep state,
`session_routes` and `object_routes` decode and encode.
"""
