"""What a fuzzer finds in the API: no fault, and every answer as the document says it."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.scenarios import identity_ground
from tests.scenarios.cast import SALMA, the_bill
from tests.scenarios.test_api import ROOT, at_noon, fresh_app, layla, number

from tayyar.api import app, door
from tayyar.config.wsgi import application
from tayyar.identity import authorities
from tayyar.identity.models import Person

__all__ = ["at_noon", "layla"]  # fixtures
pytestmark = pytest.mark.usefixtures("books")

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
]
EXAMPLES = 2  # of each operation: a longer search is `schemathesis run`, docs/api.md


def test_a_fuzzer_finds_no_fault_and_every_answer_is_as_the_document_says(
    layla: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for throttle in (door.NETWORKS, door.PEOPLE):
        monkeypatch.setattr(throttle, "budget", 10**9)
    authorities.use(lambda: authorities.Authorities(identity=(identity_ground.Scripted(),), address=None))
    schema = schemathesis.openapi.from_wsgi(f"{ROOT}/openapi.json", application)
    caller = fresh_app()
    stored = the_bill(SALMA, "2026-10")
    # Half of the cases name what there is, so that they come behind the 404.
    known = {"number": number(SALMA), "bill_number": f"{stored.number:015d}"}
    seen, answered = 0, set[str]()
    for found in schema.get_all_operations():
        operation = found.ok()
        seen += 1
        wrong = [GenerationMode.NEGATIVE] if operation.body else []  # in an address everything is a text
        for mode in (GenerationMode.POSITIVE, *wrong):

            @settings(
                max_examples=EXAMPLES,
                derandomize=True,
                deadline=None,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
            def search(case: Any, is_known: bool) -> None:
                if is_known:
                    case.path_parameters.update(
                        {name: value for name, value in known.items() if name in case.path_parameters}
                    )
                answer = case.call_and_validate(
                    headers={**caller.headers, "Accept-Language": "en"},
                    checks=CHECKS if not is_known else CHECKS[:-1],
                )
                if answer.status_code < 300:
                    answered.add(case.operation.definition.raw["operationId"])

            search()
    assert seen == sum(len(methods) for methods in json.loads(app.document())["paths"].values()) > 40
    # Not only refusals: at two examples each, a good part is answered.
    assert "getMe" in answered and len(answered) >= 8, answered
