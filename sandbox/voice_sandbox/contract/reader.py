"""Reads an OpenAPI 3.1 contract into frozen operations.

The world is closed: a keyword that this module does not understand stops the program with the
file, the line and the fix, because a rule that nobody enforces would be a lie.
Both contracts are read here: ``openapi.yaml``, and ``control.yaml``, which uses components of it
by references of the form ``../../openapi.yaml#/components/…``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from voice_sandbox.contract.model import (
    Contract,
    ContractError,
    ContractServer,
    DocumentedResponse,
    Example,
    Header,
    Link,
    Operation,
    Parameter,
    RequestBody,
    Schema,
)
from voice_sandbox.contract.pointers import YAMLError, at, escape_pointer, line_of, read_yaml

_METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
_BORROWED: Final = "../../openapi.yaml#/"


def load_contract(path: Path, *, components_from: Contract | None = None) -> Contract:
    """Reads the contract in ``path``; ``components_from`` is the contract whose
    components it refers to.

    Raises: `ContractError` on anything that is missing, unknown or contradicts itself.
    """
    try:
        source = path.read_bytes()
        document = read_yaml(source, path)
    except YAMLError as error:
        raise ContractError(str(error)) from error
    except OSError as error:
        raise ContractError(f"The contract {path} cannot be read: {error}") from error
    if components_from is not None:
        document = _borrow(document, components_from)
    return _ContractReader(path, document).contract(hashlib.sha256(source).hexdigest())


def find_contract(name: str = "openapi.yaml") -> Path:
    """Where the contract lies: inside the installed package, or at the top of the checkout."""
    package = Path(__file__).parent.parent
    checkout = package.parent.parent
    candidates = (package / name, checkout / name)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ContractError(f"{name} is neither in {package} nor in {checkout}.")


_SCHEMA_KEYWORDS: Final = frozenset(
    "$ref type enum const format pattern minLength maxLength minimum maximum "
    "exclusiveMinimum properties required additionalProperties items minItems maxItems uniqueItems "
    "allOf anyOf oneOf discriminator if then else title description examples "
    "x-allOf x-enumDescriptions x-normalized-status".split()
)
_SUBSCHEMAS: Final = ("items", "if", "then", "else")


class _ContractReader:
    """One reading of one document: walks down it and rejects what it does not know."""

    def __init__(self, path: Path, document: Any) -> None:
        self.path = path
        self.document = document

    def fail(self, pointer: str, message: str) -> ContractError:
        return ContractError(f"{self.path.name}:{line_of(self.path, pointer)}: {message}")

    def take(self, node: Any, pointer: str, required: str, optional: str = "") -> dict[str, Any]:
        """The mapping ``node``, resolved, holding all required and no unknown keywords."""
        if not isinstance(node, dict):
            raise self.fail(pointer, "A mapping was expected here.")
        if set(node) == {"$ref"}:
            try:
                node = at(self.document, node["$ref"])
            except (KeyError, TypeError):
                raise self.fail(pointer, f"The reference {node['$ref']} leads nowhere.") from None
        needed, known = set(required.split()), set(optional.split())
        for keyword in node:
            if keyword not in needed | known:
                raise self.fail(
                    f"{pointer}/{escape_pointer(str(keyword))}",
                    f"The keyword {keyword} is not understood here. Remove it, or teach "
                    "voice_sandbox/contract/reader.py what it means.",
                )
        for keyword in sorted(needed - set(node)):
            raise self.fail(pointer, f"The keyword {keyword} is missing here.")
        taken: dict[str, Any] = node
        return taken

    def contract(self, sha256: str) -> Contract:
        root = self.take(self.document, "", "openapi info servers security tags paths components")
        if not str(root["openapi"]).startswith("3.1."):
            raise self.fail("/openapi", "Only OpenAPI 3.1 is understood.")
        info = self.take(root["info"], "/info", "title version description", "summary license")
        components = self.take(
            root["components"],
            "/components",
            "schemas",
            "securitySchemes parameters headers responses",
        )
        for name, schema in components["schemas"].items():
            self.schema(schema, f"/components/schemas/{name}")
        operations: dict[str, Operation] = {}
        for operation in self.operations(root["paths"]):
            if operation.operation_id in operations:
                raise ContractError(
                    f"{self.path.name}: the operationId {operation.operation_id} is used twice."
                )
            operations[operation.operation_id] = operation
        contract = Contract(
            path=self.path,
            title=info["title"],
            version=info["version"],
            description=info["description"],
            sha256=sha256,
            servers=tuple(
                ContractServer(server["url"], server["description"]) for server in root["servers"]
            ),
            tags={tag["name"]: tag["description"] for tag in root["tags"]},
            operations=operations,
            document=root,
        )
        self.links_lead_somewhere(contract)
        return contract

    def operations(self, paths: Mapping[str, Any]) -> Iterator[Operation]:
        for path, item in paths.items():
            pointer = f"/paths/{escape_pointer(path)}"
            for method, node in self.take(item, pointer, "", " ".join(_METHODS)).items():
                yield self.operation(node, f"{pointer}/{method}", path, method)

    def operation(self, node: Any, pointer: str, path: str, method: str) -> Operation:
        node = self.take(
            node,
            pointer,
            "operationId tags summary description responses",
            "parameters requestBody security",
        )
        parameters = tuple(
            self.parameter(parameter, f"{pointer}/parameters/{i}")
            for i, parameter in enumerate(node.get("parameters", ()))
        )
        operation = Operation(
            operation_id=node["operationId"],
            method=method.upper(),
            path=path,
            tag=node["tags"][0],
            summary=node["summary"],
            description=node["description"].strip(),
            authenticated=node.get("security", self.document["security"]) != [],
            parameters=parameters,
            body=self.body(node.get("requestBody"), f"{pointer}/requestBody"),
            responses=self.responses(node["responses"], f"{pointer}/responses"),
        )
        in_path = {p.name for p in parameters if p.location == "path"}
        if in_path != set(operation.path_parameters):
            raise self.fail(pointer, f"The path parameters of {path} are not the declared ones.")
        return operation

    def parameter(self, node: Any, pointer: str) -> Parameter:
        node = self.take(node, pointer, "name in required description schema example")
        if node["in"] not in ("path", "query", "header"):
            raise self.fail(pointer, f"Parameters in {node['in']} are not understood.")
        return Parameter(
            name=node["name"],
            location=node["in"],
            required=node["required"],
            description=node["description"].strip(),
            schema=self.schema(node["schema"], f"{pointer}/schema"),
            example=node["example"],
        )

    def body(self, node: Any, pointer: str) -> RequestBody | None:
        if node is None:
            return None
        node = self.take(node, pointer, "required description content x-max-body-bytes")
        if node["required"] is not True:
            raise self.fail(pointer, "A body that may be left out is not understood.")
        media_type, schema, examples = self.content(node["content"], f"{pointer}/content")
        return RequestBody(
            media_type=media_type,
            schema=schema,
            max_bytes=node["x-max-body-bytes"],
            description=node["description"],
            examples=examples,
        )

    def responses(self, node: Any, pointer: str) -> Mapping[int, DocumentedResponse]:
        for status in node:
            if not re.fullmatch("[1-5][0-9]{2}", str(status)):
                raise self.fail(
                    f"{pointer}/{status}",
                    f"The status {status} is not understood. Write three digits.",
                )
        if [str(status)[0] for status in node].count("2") != 1:
            raise self.fail(pointer, "Exactly one response of an operation is a success.")
        return {
            int(status): self.response(response, f"{pointer}/{status}", int(status))
            for status, response in node.items()
        }

    def response(self, node: Any, pointer: str, status: int) -> DocumentedResponse:
        node = self.take(node, pointer, "description headers", "content links")
        media_type: str | None = None
        schema: Schema | None = None
        examples: Mapping[str, Example] = {}
        if "content" in node:
            media_type, schema, examples = self.content(node["content"], f"{pointer}/content")
        return DocumentedResponse(
            status=status,
            description=node["description"],
            media_type=media_type,
            schema=schema,
            headers={
                name: self.header(name, header, f"{pointer}/headers/{name}")
                for name, header in node["headers"].items()
            },
            examples=examples,
            links={
                name: self.link(name, link, f"{pointer}/links/{name}")
                for name, link in node.get("links", {}).items()
            },
        )

    def content(self, node: Any, pointer: str) -> tuple[str, Schema, Mapping[str, Example]]:
        if len(node) != 1:
            raise self.fail(pointer, "Exactly one media type is understood here.")
        [(media_type, media)] = node.items()
        pointer = f"{pointer}/{escape_pointer(media_type)}"
        media = self.take(media, pointer, "schema examples")
        examples: dict[str, Example] = {}
        for name, example in media["examples"].items():
            self.take(example, f"{pointer}/examples/{name}", "summary value", "description")
            examples[name] = Example(
                name, example["summary"], example.get("description", ""), example["value"]
            )
        return media_type, self.schema(media["schema"], f"{pointer}/schema"), examples

    def header(self, name: str, node: Any, pointer: str) -> Header:
        node = self.take(node, pointer, "description required schema example")
        return Header(
            name=name,
            required=node["required"],
            description=node["description"],
            schema=self.schema(node["schema"], f"{pointer}/schema"),
            example=node["example"],
        )

    def link(self, name: str, node: Any, pointer: str) -> Link:
        node = self.take(node, pointer, "operationId description", "parameters requestBody")
        return Link(
            name=name,
            operation_id=node["operationId"],
            description=node["description"],
            parameters=node.get("parameters", {}),
            body=node.get("requestBody"),
        )

    def schema(self, node: Any, pointer: str) -> Schema:
        if not isinstance(node, dict):
            raise self.fail(pointer, "A schema was expected here.")
        self.keywords(node, pointer)
        if "$ref" in node:
            try:
                at(self.document, node["$ref"])
            except (KeyError, TypeError):
                raise self.fail(pointer, f"The reference {node['$ref']} leads nowhere.") from None
        for name, schema in node.get("properties", {}).items():
            self.schema(schema, f"{pointer}/properties/{escape_pointer(name)}")
        for keyword in ("allOf", "anyOf", "oneOf", "x-allOf"):
            for i, schema in enumerate(node.get(keyword, ())):
                self.schema(schema, f"{pointer}/{keyword}/{i}")
        for keyword in _SUBSCHEMAS:
            if keyword in node:
                self.schema(node[keyword], f"{pointer}/{keyword}")
        return node

    def keywords(self, node: dict[str, Any], pointer: str) -> None:
        for keyword in node:
            if keyword not in _SCHEMA_KEYWORDS:
                raise self.fail(
                    f"{pointer}/{escape_pointer(str(keyword))}",
                    f"The schema keyword {keyword} is not understood. Remove it, or add it to "
                    "voice_sandbox/contract/reader.py with a test that it is enforced.",
                )

    def links_lead_somewhere(self, contract: Contract) -> None:
        for operation in contract.operations.values():
            for link in operation.success.links.values():
                where = f"{self.path.name}: the link {link.name} of {operation.operation_id}"
                target = contract.operations.get(link.operation_id)
                if target is None:
                    raise ContractError(f"{where} names no operation: {link.operation_id}.")
                unknown = set(link.parameters) - {p.name for p in target.parameters}
                if unknown:
                    raise ContractError(
                        f"{where} fills {', '.join(sorted(unknown))}, "
                        f"which {target.operation_id} does not take."
                    )


def _borrow(document: Any, components_from: Contract) -> Any:
    """The document with the other contract's components in it and all references local."""

    def local(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: f"#/{value.removeprefix(_BORROWED)}"
                if key == "$ref" and value.startswith(_BORROWED)
                else local(value)
                for key, value in node.items()
            }
        return [local(item) for item in node] if isinstance(node, list) else node

    document = local(document)
    for kind, components in components_from.components.items():
        # The other contract's wins: a component that only points at it would now point at itself.
        document["components"][kind] = {**document["components"].get(kind, {}), **components}
    return document
