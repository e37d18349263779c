"""What must hold of every single answer, whatever the check is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sandbox.contract import Contract, Operation, Response
from sandbox.problems import MEDIA_TYPE, PROBLEMS
from sandbox.provider import ID_PREFIX
from sandbox.validation import Validator
from sandbox.verification.finding import Finding
from sandbox.verification.wire import Answer

# Problems that any path may answer with: they are HTTP's, not an operation's.
_ANYWHERE: Final = {"not_found", "method_not_allowed"}


class Inspector:
    """Compares answers with one contract; it remembers request ids, which never repeat."""

    def __init__(self, contract: Contract, *, may_name_provider: bool = False) -> None:
        self._templates = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/?]+", re.escape(operation.path))), operation)
            for operation in contract.operations.values()
        ]
        self._bodies: dict[tuple[str, int], Validator] = {}
        self._headers: dict[tuple[str, int, str], Validator] = {}
        self._contract = contract
        self._request_id = re.compile(
            contract.components["headers"]["XRequestId"]["schema"]["pattern"]
            if "XRequestId" in contract.components.get("headers", {})
            else "[A-Za-z0-9_-]+"
        )
        self._may_name_provider = may_name_provider
        self._compiled: set[tuple[str, int]] = set()
        self._seen: set[str] = set()

    def look_at(self, answer: Answer) -> None:
        """Raises: `Finding` on the first thing that no answer may do."""
        operation = self._operation(answer)
        response = None if operation is None else operation.responses.get(answer.status)
        # The worst first: a server that breaks gives none of the headers that are looked at next.
        if answer.status >= 500 and response is None:
            raise Finding(
                f"The deployment broke: it answered {answer.status}, which no request may cause.",
                answer,
            )
        if answer.status < 400 and response is None:
            self._raise_undocumented(answer, operation)
        request_id = self._look_at_request_id(answer)
        self._look_for_provider(answer)
        document = self._document(answer, response)
        if answer.status >= 400:
            self._look_at_problem(answer, document, request_id, operation)
        if operation is not None and response is not None:
            self._look_at_response(answer, document, operation, response)

    def _raise_undocumented(self, answer: Answer, operation: Operation | None) -> None:
        if operation is None:
            raise Finding(
                f"{answer.sent.method} {answer.sent.target[:80]} is no operation of the contract, "
                f"but it is answered {answer.status}.",
                answer,
            )
        raise Finding(
            f"{operation.operation_id} answers {answer.status}, which the contract does not "
            "document.",
            answer,
        )

    def _compile(self, operation: Operation, response: Response) -> None:
        """Compiles what a response must be when it is met first: all at once takes long."""
        key = operation.operation_id, response.status
        if key in self._compiled:
            return
        self._compiled.add(key)
        if response.schema is not None:
            self._bodies[key] = Validator(self._contract, response.schema)
        for name, header in response.headers.items():
            self._headers[*key, name] = Validator(self._contract, header.schema)

    def _operation(self, answer: Answer) -> Operation | None:
        path = answer.sent.target.partition("?")[0]
        method = "GET" if answer.sent.method == "HEAD" else answer.sent.method
        for template, operation in self._templates:
            if operation.method == method and template.fullmatch(path):
                return operation
        return None

    def _look_at_request_id(self, answer: Answer) -> str:
        values = answer.values("x-request-id")
        if len(values) != 1 or not (
            8 <= len(values[0]) <= 64 and self._request_id.fullmatch(values[0])
        ):
            raise Finding(
                "Every answer must carry one X-Request-Id of 8 to 64 letters, digits, _ or -, "
                f"but this one carries {values or 'none'}.",
                answer,
            )
        if values[0] in self._seen:
            raise Finding("Two exchanges were given the same X-Request-Id.", answer)
        self._seen.add(values[0])
        return values[0]

    def _look_for_provider(self, answer: Answer) -> None:
        if self._may_name_provider:
            return
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers)
        if ID_PREFIX.encode() in answer.body or ID_PREFIX in headers:
            raise Finding("An answer of the service holds an identifier of the provider.", answer)

    def _document(self, answer: Answer, response: Response | None) -> Any:
        """The JSON of the answer, ``None`` where it must have no body."""
        head = answer.sent.method == "HEAD"
        if head or (response is not None and response.media_type is None):
            if answer.body:
                raise Finding(f"An answer to {answer.sent.method} must have no body.", answer)
            if not head:
                return None
        media_type = None if response is None else response.media_type
        expected = MEDIA_TYPE if answer.status >= 400 else media_type
        types = answer.values("content-type")
        if len(types) != 1 or types[0].partition(";")[0].strip().lower() != expected:
            raise Finding(
                f"An answer {answer.status} must be {expected}, but it says {types or 'nothing'}.",
                answer,
            )
        if head:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise Finding(f"The body of an answer is not strict JSON: {error}.", answer) from None
        except RecursionError:
            raise Finding("The body of an answer is nested without end.", answer) from None

    def _look_at_problem(
        self, answer: Answer, document: Any, request_id: str, operation: Operation | None
    ) -> None:
        if answer.sent.method == "HEAD":
            return
        if not isinstance(document, Mapping):
            raise Finding("A problem must be a JSON object (RFC 9457).", answer)
        if document.get("status") != answer.status:
            raise Finding(
                f"A problem's status must be the HTTP status {answer.status}, "
                f"but it is {document.get('status')!r}.",
                answer,
            )
        problem = PROBLEMS.get(str(document.get("code")))
        if problem is None:
            raise Finding(
                f"The problem code {document.get('code')!r} is not in the catalogue.", answer
            )
        if problem.status != answer.status:
            raise Finding(
                f"The problem {problem.code} belongs to {problem.status}, "
                f"but it is answered with {answer.status}.",
                answer,
            )
        if document.get("request_id") != request_id:
            raise Finding(
                "A problem's request_id must be the answer's X-Request-Id, but they differ.",
                answer,
            )
        if document.get("title") != problem.title:
            raise Finding(
                f"The title of {problem.code} must be {problem.title!r}, "
                f"but it is {document.get('title')!r}.",
                answer,
            )
        if not str(document.get("type")).endswith(problem.type):
            raise Finding(
                f"The type of {problem.code} must point at its entry {problem.type}, "
                f"but it is {document.get('type')!r}.",
                answer,
            )
        if problem.code not in _ANYWHERE and (
            operation is None or answer.status not in operation.responses
        ):
            raise Finding(
                f"The contract does not document {answer.status} {problem.code} for "
                f"{answer.sent.method} {answer.sent.target[:80]}.",
                answer,
            )

    def _look_at_response(
        self, answer: Answer, document: Any, operation: Operation, response: Response
    ) -> None:
        self._compile(operation, response)
        key = operation.operation_id, answer.status
        for name, header in response.headers.items():
            values = answer.values(name)
            if not values and not header.required:
                continue
            if len(values) != 1 or not self._headers[*key, name].is_valid(values[0]):
                raise Finding(
                    f"{operation.operation_id} {answer.status} must carry one header {name} "
                    f"as the contract says, but it carries {values or 'none'}.",
                    answer,
                )
        if answer.sent.method == "HEAD" or key not in self._bodies:
            return
        if isinstance(document, Mapping) and document.get("code") in _ANYWHERE:
            return
        errors = self._bodies[key].errors(document)
        if errors:
            raise Finding(
                f"The body of {operation.operation_id} {answer.status} breaks the contract at "
                f"{errors[0].pointer or 'its top'}: {errors[0].detail}",
                answer,
            )
