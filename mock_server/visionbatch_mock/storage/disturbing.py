"""What happens to an object between a client's listing and its download, when a fault plan says so."""

from typing import TYPE_CHECKING

from visionbatch_mock.exchange import current
from visionbatch_mock.faults import Fault, Instruction
from visionbatch_mock.storage.objects import StoredObject, Target
from visionbatch_mock.storage.preconditions import Preconditions

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant


def disturb(bucket: str, name: str) -> None:
    """Replace or delete the object that the current request is about, if its instruction says so."""
    instruction, tenant = current().met, current().tenant
    if instruction is None or instruction.fault not in {Fault.REPLACE_OBJECT, Fault.DELETE_OBJECT}:
        return
    live = tenant.objects.get(bucket, name)
    if live is None:
        return
    if instruction.fault is Fault.REPLACE_OBJECT:
        _replace(tenant, live, instruction)
    else:
        tenant.delete(bucket, name, Preconditions())


def _replace(tenant: "Tenant", live: StoredObject, instruction: Instruction) -> None:
    """A new generation: of the plan's text, or of the same bytes when it gives none."""
    if "body" not in instruction.extras:
        tenant.copy(live, Target(live.bucket, live.name, live.description))
        return
    text = str(instruction.extras["body"]).encode()
    tenant.store(live.bucket, live.name, [text], live.description)
