"""Huawei Cloud VIAS and the IAM in front of it, as Huawei's public pages and definitions describe them.

`signature`, `gateway` and `iam` decide who asks; `rules` checks what is asked; `states`, `tasks`, `scenes` and
`book` keep state; the `*_routes` decode and encode. One tenant is one account with one project: its token is
the access key, and the name of the IAM user.
"""
