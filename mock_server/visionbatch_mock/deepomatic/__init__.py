"""Deepomatic's work-order batches, as the vendor's batch and work-order pages describe them.

`naming`, `images` and `archive` are the rules of an archive; `batches` and `work_orders` keep state;
`batch_routes` and `work_order_routes` decode and encode.
"""
