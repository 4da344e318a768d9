"""The key of this service, in the query or the header, and the workspace that it opens."""

from flask import Response, request

from visionbatch_mock.answers import is_roboflow, json_answer
from visionbatch_mock.exchange import current, token_of_request
from visionbatch_mock.roboflow.refusals import Refused
from visionbatch_mock.roboflow.settings import ErrorForm, Scope


def refuse_stranger() -> Response | None:
    """The 401 of a request with no key, a wrong one, or two that disagree; None for all others."""
    if not is_roboflow(request.path):
        return None
    named = {key for key in (token_of_request(), request.args.get("api_key")) if key}
    if len(named) == 1 and not current().tenant.shut_out:
        return None
    current().body.drain()
    return refusal(Refused(401, "This API key does not exist, is missing, or is given twice and differs."))


def refusal(error: Refused) -> Response:
    """The answer: a body with the text, or with an object around it where the tenant's setting says so."""
    nested = error.status == 401 or current().tenant.behaviour.roboflow_error_form is ErrorForm.OBJECT
    return json_answer({"error": {"message": str(error)} if nested else str(error)}, error.status)


def enter(workspace: str, scope: Scope | None = None) -> None:
    """Check that the key opens the workspace of the path, and what it may do there; raises `Refused`."""
    told = current().tenant.behaviour
    if workspace != told.roboflow_workspace:
        raise Refused(404, f"Workspace {workspace} does not exist or is not this key's.")
    if scope is not None and scope not in told.roboflow_scopes:
        raise Refused(403, f"This key lacks the scope {scope}.")
