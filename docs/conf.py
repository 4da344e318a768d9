"""How the site is built from these pages: ``make docs``."""

from visionbatch import __version__

project = "visionbatch"
author = "the visionbatch authors"
release = __version__
extensions = ["myst_parser"]
html_theme = "furo"
html_title = f"visionbatch {release}"
# Nothing on a page is fetched from elsewhere.
html_theme_options = {"footer_icons": []}
myst_heading_anchors = 4
exclude_patterns = ["schedulers"]
suppress_warnings = ["misc.highlighting_failure"]
