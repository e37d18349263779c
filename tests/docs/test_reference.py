"""The pages of the reference: what a contract says of an operation is on the operation's page."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

import pytest
from bs4 import BeautifulSoup

from built_pages import GENERATED, OPERATIONS, PAGES, address
from voice_portal.sources import Sources
from voice_sandbox.contract.model import Contract, Operation, Schema
from voice_sandbox.contract.problems import documented_codes

Articles = Mapping[str, Any]
NAMES = sorted(OPERATIONS)


def contract_of(sources: Sources, name: str) -> Contract:
    return sources.contract if name in sources.contract.operations else sources.control


def links_of(article: Any, page: str) -> set[str]:
    """Where the links of a page lead, from the root of the site."""
    return {urljoin(address(page), link["href"]) for link in article.find_all("a", href=True)}


def flat(text: str) -> str:
    """A text as a page shows it: without marks of code, in one line."""
    return " ".join(text.replace("`", "").split())


def shown(element: Any) -> str:
    return " ".join(element.get_text().split())


def field_names(
    contract: Contract, schema: Schema, seen: set[str], path: str = ""
) -> Iterator[str]:
    """The path of each field in a schema; a named schema is opened once."""
    name = schema.get("$ref", "")
    if name and name in seen:
        return
    seen.add(name)
    schema = contract.resolve(schema)
    for form in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        # A named form may have what another one has.
        yield from field_names(contract, contract.resolve(form), seen, path)
    if "items" in schema:
        yield from field_names(contract, schema["items"], seen, f"{path}[]")
    for each, node in schema.get("properties", {}).items():
        below = f"{path}.{each}" if path else each
        yield below
        yield from field_names(contract, node, seen, below)


def names_in(element: Any) -> list[str]:
    return [code.get_text() for code in element.select(".field-name")]


@pytest.mark.parametrize("name", NAMES)
def test_page_says_what_the_operation_is(articles: Articles, sources: Sources, name: str) -> None:
    """Summary, method, path, id, every sentence of the description, and the key it needs."""
    operation, article = sources.operations[name], articles[OPERATIONS[name]]
    head = article.find(class_="operation-head")
    assert operation.summary in shown(article.h1)
    assert head.find(class_="method").get_text() == operation.method
    assert head.find(class_="endpoint-path").get_text() == operation.path
    assert name in [code.get_text() for code in head.select("dd code")]
    for line in operation.description.splitlines():
        if "](" not in line:
            assert flat(line) in shown(head)
    assert ("Bearer" in shown(head)) is operation.authenticated
    assert "/authentication/" in links_of(head, OPERATIONS[name])


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_on_the_page(articles: Articles, sources: Sources, name: str) -> None:
    """Each has its name, its place, whether it is required, and what it means."""
    operation, article = sources.operations[name], articles[OPERATIONS[name]]
    heading = article.find("h2", id="parameters")
    assert (heading is not None) is bool(operation.parameters)
    if heading is None:
        return
    rows = heading.find_next("dl").find_all(class_="field", recursive=False)
    for parameter, row in zip(operation.parameters, rows, strict=True):
        assert names_in(row) == [parameter.name]
        assert parameter.location in row.find(class_="field-type").get_text()
        presence = "required" if parameter.required else "optional"
        assert row.find(class_="field-presence").get_text() == presence
        assert flat(parameter.description) in shown(row)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_on_the_page(articles: Articles, sources: Sources, name: str) -> None:
    """Each field of the request and of the response, those of nested objects included."""
    operation, article = sources.operations[name], articles[OPERATIONS[name]]
    contract = contract_of(sources, name)
    if operation.body is not None:
        body = article.find("h2", id="request-body").find_next("dl", class_="fields")
        assert list(field_names(contract, operation.body.schema, set())) == names_in(body)
    success = operation.success
    panel = article.find(id=f"status-{success.status}")
    fields = [] if success.schema is None else field_names(contract, success.schema, set())
    headers = list(success.headers)
    assert [*fields, *headers] == names_in(panel)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_type_presence_and_meaning(articles: Articles, name: str) -> None:
    """No row says only a name."""
    for row in articles[OPERATIONS[name]].select(".field:not(.field-form)"):
        assert row.find(class_="field-type").get_text().strip()
        assert row.find(class_="field-presence").get_text() in (
            *("required", "optional"),
            *("always present", "may be absent"),
        )
        assert row.dd.p.get_text().strip()


@pytest.mark.parametrize("name", NAMES)
def test_every_response_has_its_tab(articles: Articles, sources: Sources, name: str) -> None:
    """One tab a status, in the order of the contract, with description, headers and examples."""
    operation, article = sources.operations[name], articles[OPERATIONS[name]]
    [tabs] = article.find_all(class_="tabs", attrs={"aria-label": "Responses by status"})
    labels = [label.get_text() for label in tabs.find_all("label")]
    assert labels == [str(status) for status in operation.responses]
    for status, response in operation.responses.items():
        panel = article.find(id=f"status-{status}")
        assert flat(response.description) in shown(panel)
        assert set(response.headers) <= set(names_in(panel))
        examples = [code.get_text() for code in panel.select("pre > code")]
        assert len(examples) == len(response.examples)
        for example in response.examples.values():
            assert example.summary in shown(panel)


@pytest.mark.parametrize("name", NAMES)
def test_every_problem_leads_to_its_entry(articles: Articles, sources: Sources, name: str) -> None:
    """Each code that the operation can send is a link to the Errors page; its schema is linked."""
    article, page = articles[OPERATIONS[name]], OPERATIONS[name]
    for status, response in sources.operations[name].responses.items():
        codes = documented_codes(response)
        links = links_of(article.find(id=f"status-{status}"), page)
        assert {f"/errors/#{code}" for code in codes} <= links
        if codes and response.schema is not None:
            schema = response.schema["$ref"].rpartition("/")[2]
            assert f"/reference/schemas/#{schema}" in links


@pytest.mark.parametrize("name", NAMES)
def test_operation_of_the_service_has_a_card(
    articles: Articles, sources: Sources, name: str
) -> None:
    """What the service offers can be tried on its page; what the sandbox alone has is a command."""
    article = articles[OPERATIONS[name]]
    of_service = name in sources.contract.operations
    assert len(article.select(".columns > try-api")) == int(of_service)
    assert (article.find("h2", id="request") is None) is of_service


def test_every_field_of_a_shared_schema_is_listed_once(
    articles: Articles, sources: Sources
) -> None:
    """The page Schemas has problems, and what several fields have; pages lead to its entries."""
    article = articles["reference/schemas"]
    headings = [heading["id"] for heading in article.find_all("h2", id=True)]
    assert headings == [*sources.shared_schemas, "where-to-go-next"]
    assert {"Problem", "ValidationProblem", "CallStatus"} <= set(headings)
    for name, named in sources.shared_schemas.items():
        entry = [
            element
            for element in article.find(id=name).find_next_siblings()
            if element.find_previous("h2", id=True)["id"] == name
        ]
        section = BeautifulSoup("".join(map(str, entry)), "html.parser")
        words = [str(word) for word in named.schema.get("enum", ())]
        fields = list(field_names(named.contract, named.schema, set()))
        assert names_in(section) == [*words, *fields]


def test_no_part_of_a_page_was_left_as_text(articles: Articles) -> None:
    """SuperFences shows a fence as text where its template fails."""
    for name in GENERATED:
        assert articles[name].find("code", string=lambda text: "operation:" in (text or "")) is None
        assert articles[name].select("p > code:only-child") == [] or "name: " not in shown(
            articles[name]
        )


def test_index_lists_every_operation(articles: Articles) -> None:
    """An old address such as /reference/#getCall leads to the row of the operation."""
    article = articles["reference"]
    for name, page in OPERATIONS.items():
        row = article.find("li", id=name)
        assert urljoin(address("reference"), row.a["href"]) == address(page)


def test_every_page_is_below_reference_in_the_navigation(html: Mapping[str, Any]) -> None:
    """The pages that the build adds stand behind the index of the reference."""
    links = [link["href"] for link in html["index.html"].select("nav.md-nav--primary a[href]")]
    of_reference = [link for link in links if link.startswith("reference/")]
    assert list(dict.fromkeys(of_reference)) == [
        "reference/",
        *(f"{page}/" for page in GENERATED),
    ]


def test_cards_and_errors_lead_to_the_page_of_the_operation(
    articles: Articles, sources: Sources
) -> None:
    """No link leads to a place in the index where the operation has a page of its own."""
    for page in PAGES:
        for link in articles[page].select("a.card-reference"):
            assert urljoin(address(page), link["href"]).removeprefix("/").rstrip("/") in (
                OPERATIONS.values()
            )
        assert not [link for link in links_of(articles[page], page) if "/reference/#get" in link]
    returned = articles["errors"].select(".problem-operations a")
    assert {urljoin("/errors/", link["href"]) for link in returned} >= {
        address(OPERATIONS[name]) for name in sources.contract.operations
    }


def test_text_of_a_page_says_what_the_page_says(site: Any, sources: Sources) -> None:
    """As Markdown, too, an operation has its fields, statuses and problems."""
    for name, page in OPERATIONS.items():
        operation: Operation = sources.operations[name]
        text = (site / page / "index.md").read_text("utf-8")
        assert f"`{operation.method} {operation.path}`" in text
        for status, response in operation.responses.items():
            assert f"### {status} " in text
            assert all(f"`{code}`" in text for code in documented_codes(response))
        contract = contract_of(sources, name)
        schemas = [operation.body.schema] if operation.body else []
        schemas += [operation.success.schema] if operation.success.schema else []
        for schema in schemas:
            assert all(f"`{each}` (" in text for each in field_names(contract, schema, set()))
