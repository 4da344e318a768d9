"""The one form that is sent, read by the parser of somebody else."""

from __future__ import annotations

from contextlib import closing
from io import BytesIO

import pytest
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from visionbatch.roboflow.image_form import image_form


@pytest.mark.parametrize("name", ["a.jpg", 'with "quotes".jpg', "M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller; x.jpg"])
def test_a_form_has_the_image_under_its_name_and_nothing_else(name: str) -> None:
    content = bytes(range(256)) + b'\r\n--\r\nContent-Disposition: form-data; name="other"\r\n\r\n'
    form = image_form(name, content)

    kind, options = parse_options_header(form.kind)
    _, fields, files = FormDataParser(silent=False).parse(BytesIO(form.content), kind, len(form.content), options)

    (sent,) = files.getlist("file")
    with closing(sent):
        assert (sent.filename, sent.content_type, sent.read()) == (name, "image/jpeg", content)
    assert (len(files), len(fields)) == (1, 0)
