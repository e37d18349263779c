"""What must hold of every single response, whatever the check is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from voice_sandbox.calls.provider import ID_PREFIX
from voice_sandbox.contract.model import Contract, DocumentedResponse, Operation
from voice_sandbox.contract.problems import MEDIA_TYPE, PROBLEMS, undocumented
from voice_sandbox.contract.validation import Validator
from voice_sandbox.verification.finding import Finding
from voice_sandbox.verification.http1 import ReceivedResponse

EVENT_STREAM: Final = "text/event-stream"
# Problems that any path may answer with: they are HTTP's, not an operation's.
_ANYWHERE: Final = {"not_found", "method_not_allowed"}


class ResponseValidator:
    """Compares responses with one contract; it remembers request ids, which never repeat."""

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
        self.seen: set[tuple[str, int]] = set()
        """The documented responses that were validated: operationId and status."""
        self._request_ids: set[str] = set()

    def validate(self, response: ReceivedResponse) -> None:
        """Raises: `Finding` on the first thing that no response may do."""
        operation = self.operation_of(response)
        documented = None if operation is None else operation.responses.get(response.status)
        # The worst first: a server that breaks gives none of the headers that are looked at next.
        if response.status >= 500 and documented is None:
            raise Finding(
                f"The deployment broke: it answered {response.status}, which no request may cause.",
                response,
            )
        if response.status < 400 and documented is None:
            self._raise_undocumented(response, operation)
        request_id = self._validate_request_id(response)
        self._reject_provider_id(response)
        document = self._document(response, documented)
        if response.status >= 400:
            self._validate_problem(response, document, request_id, operation)
        if operation is not None and documented is not None:
            self._validate_documented(response, document, operation, documented)

    def _raise_undocumented(self, response: ReceivedResponse, operation: Operation | None) -> None:
        if operation is None:
            raise Finding(
                f"{response.sent.method} {response.sent.target[:80]} is no operation of the "
                f"contract, but it is answered {response.status}.",
                response,
            )
        raise Finding(
            f"{operation.operation_id} returns {response.status}, which the contract does not "
            "document.",
            response,
        )

    def _compile(self, operation: Operation, documented: DocumentedResponse) -> None:
        """Compiles what a response must be when it is met first: all at once takes long."""
        key = operation.operation_id, documented.status
        if key in self.seen:
            return
        if documented.schema is not None:
            self._bodies[key] = Validator(self._contract, documented.schema)
        for name, header in documented.headers.items():
            self._headers[*key, name] = Validator(self._contract, header.schema)
        self.seen.add(key)  # last, since several checks may run at once

    def operation_of(self, response: ReceivedResponse) -> Operation | None:
        """The operation that a response belongs to, if it is one of the contract."""
        path = response.sent.target.partition("?")[0]
        method = "GET" if response.sent.method == "HEAD" else response.sent.method
        for template, operation in self._templates:
            if operation.method == method and template.fullmatch(path):
                return operation
        return None

    def _validate_request_id(self, response: ReceivedResponse) -> str:
        values = response.values("x-request-id")
        if len(values) != 1 or not (
            8 <= len(values[0]) <= 64 and self._request_id.fullmatch(values[0])
        ):
            raise Finding(
                "Every response must carry one X-Request-Id of 8 to 64 letters, digits, _ or -, "
                f"but this one carries {values or 'none'}.",
                response,
            )
        if values[0] in self._request_ids:
            raise Finding("Two exchanges were given the same X-Request-Id.", response)
        self._request_ids.add(values[0])
        return values[0]

    def _reject_provider_id(self, response: ReceivedResponse) -> None:
        if self._may_name_provider:
            return
        headers = "\n".join(f"{name}: {value}" for name, value in response.headers)
        if ID_PREFIX.encode() in response.body or ID_PREFIX in headers:
            raise Finding(
                "A response of the service holds an identifier of the provider.", response
            )

    def _document(self, response: ReceivedResponse, documented: DocumentedResponse | None) -> Any:
        """The JSON of the response, ``None`` where it must have no body."""
        head = response.sent.method == "HEAD"
        if head or (documented is not None and documented.media_type is None):
            if response.body:
                raise Finding(f"A response to {response.sent.method} must have no body.", response)
            if not head:
                return None
        media_type = None if documented is None else documented.media_type
        expected = MEDIA_TYPE if response.status >= 400 else media_type
        types = response.values("content-type")
        if len(types) != 1 or types[0].partition(";")[0].strip().lower() != expected:
            raise Finding(
                f"A response {response.status} must be {expected}, but it says "
                f"{types or 'nothing'}.",
                response,
            )
        if head or expected == EVENT_STREAM:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise Finding(f"A response body is not strict JSON: {error}.", response) from None
        except RecursionError:
            raise Finding("The body of a response is nested too deeply.", response) from None

    def _validate_problem(
        self,
        response: ReceivedResponse,
        document: Any,
        request_id: str,
        operation: Operation | None,
    ) -> None:
        if response.sent.method == "HEAD":
            return
        if not isinstance(document, Mapping):
            raise Finding("A problem must be a JSON object (RFC 9457).", response)
        if document.get("status") != response.status:
            raise Finding(
                f"A problem's status must be the HTTP status {response.status}, "
                f"but it is {document.get('status')!r}.",
                response,
            )
        problem = PROBLEMS.get(str(document.get("code")))
        if problem is None:
            raise Finding(
                f"The problem code {document.get('code')!r} is not in the catalogue.", response
            )
        if problem.status != response.status:
            raise Finding(
                f"The problem {problem.code} belongs to {problem.status}, "
                f"but the response has {response.status}.",
                response,
            )
        if document.get("request_id") != request_id:
            raise Finding(
                "A problem's request_id must be the X-Request-Id of the response, but they differ.",
                response,
            )
        if document.get("title") != problem.title:
            raise Finding(
                f"The title of {problem.code} must be {problem.title!r}, "
                f"but it is {document.get('title')!r}.",
                response,
            )
        if not str(document.get("type")).endswith(problem.type):
            raise Finding(
                f"The type of {problem.code} must point at its entry {problem.type}, "
                f"but it is {document.get('type')!r}.",
                response,
            )
        if problem.code not in _ANYWHERE and (
            operation is None or response.status not in operation.responses
        ):
            raise Finding(
                f"The contract does not document {response.status} {problem.code} for "
                f"{response.sent.method} {response.sent.target[:80]}.",
                response,
            )

    def _validate_documented(
        self,
        response: ReceivedResponse,
        document: Any,
        operation: Operation,
        documented: DocumentedResponse,
    ) -> None:
        self._compile(operation, documented)
        key = operation.operation_id, response.status
        for name, header in documented.headers.items():
            values = response.values(name)
            if not values and not header.required:
                continue
            if len(values) != 1 or not self._headers[*key, name].is_valid(values[0]):
                raise Finding(
                    f"{operation.operation_id} {response.status} must carry one header {name} "
                    f"as the contract says, but it carries {values or 'none'}.",
                    response,
                )
        if response.sent.method == "HEAD" or key not in self._bodies:
            return
        if documented.media_type == EVENT_STREAM:
            return
        if isinstance(document, Mapping) and document.get("code") in _ANYWHERE:
            return
        errors = self._bodies[key].errors(document) + undocumented(documented, document)
        if errors:
            raise Finding(
                f"The body of {operation.operation_id} {response.status} breaks the contract at "
                f"{errors[0].pointer or 'its top'}: {errors[0].detail}",
                response,
            )
