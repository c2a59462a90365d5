"""The server's page in a real browser: a registry is looked through, a fingerprint dropped, its report read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from support.served import EVIL, registry, sent
from support.serving import Serving, serving

DROP = """async ([selector, name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name));
  const how = { dataTransfer: data, bubbles: true, cancelable: true };
  for (const type of ["dragover", "drop"]) document.querySelector(selector).dispatchEvent(new DragEvent(type, how));
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("serve")
    (folder / "root").mkdir()
    with serving(registry(folder / "known"), "--root", folder / "root", TMPDIR=str(folder)) as found:
        yield found


class Watched:
    """A page that notes what goes wrong and what it asks others for."""

    def __init__(self, browser: Browser, server: Serving, **settings: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1100, "height": 900}, **settings)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.errors.append(dialog.message), dialog.dismiss()))
        self.context.on("request", lambda r: None if r.url.startswith(server.origin + "/") else self.elsewhere.append(r.url))

    def sound(self) -> None:
        assert self.errors == []
        assert self.elsewhere == []


@pytest.fixture
def watched(browser: Browser, server: Serving) -> Iterator[Watched]:
    found = Watched(browser, server)
    yield found
    found.context.close()


def test_a_fingerprint_is_dropped_and_its_report_read(watched: Watched, server: Serving) -> None:
    page = watched.page
    page.goto(server.address)
    expect(page.locator("tbody tr")).to_have_count(4)
    assert server.token not in page.url
    page.get_by_role("link", name="Scan").click()
    page.wait_for_selector(".drop")
    page.evaluate(DROP, [".drop", f"{EVIL}.tgfp", list(sent(name=EVIL))])
    report = page.frame_locator("iframe")
    expect(report.locator(".said").first).to_contain_text("org/parent", timeout=60_000)
    expect(report.locator("h1")).to_contain_text("<img src=x onerror")
    assert page.locator("iframe").get_attribute("sandbox") == "allow-scripts allow-modals"
    with page.expect_download() as got:
        page.get_by_role("link", name="JSON").click()
    assert '"schema": "tensorguard/scan/1"' in Path(got.value.path()).read_text()
    with watched.context.expect_page() as opened:
        page.get_by_role("link", name="Open the report on its own").click()
    own = opened.value
    expect(own.locator("h1")).to_contain_text("<img src=x onerror")
    assert own.evaluate("[self.origin, document.querySelectorAll('img').length]") == ["null", 0]
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.locator("tbody tr")).to_contain_text("done")
    watched.sound()


def test_the_registry_is_searched_and_a_family_followed(watched: Watched, server: Serving) -> None:
    page = watched.page
    page.goto(server.address)
    page.get_by_label("Show those with").fill("toy 1")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="org/parent").click()
    expect(page.locator("h1")).to_have_text("org/parent")
    lines = page.locator(".lines li")
    expect(lines).to_have_count(3)
    lines.get_by_role("link", name="<img src=x").click()
    expect(page.locator("h1")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("img").count() == 0
    page.go_back()
    expect(page.locator("h1")).to_have_text("org/parent")
    watched.sound()


def test_what_is_wrong_is_told_on_the_page(watched: Watched, server: Serving) -> None:
    page = watched.page
    page.goto(server.address)
    page.get_by_role("link", name="Scan").click()
    page.get_by_label("Folder or file of a model").fill("../../etc/passwd")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("under a root")
    page.set_input_files("#file", {"name": "x.tgfp", "mimeType": "x/y", "buffer": b"nothing"})
    expect(page.get_by_role("alert")).not_to_contain_text("under a root")
    assert watched.elsewhere == []
    assert [text for text in watched.errors if "the server responded with a status of 4" not in text] == []


def test_without_the_token_nothing_is_shown_and_a_stolen_page_has_no_use(watched: Watched, server: Serving) -> None:
    page = watched.page
    page.goto(server.origin)
    expect(page.get_by_role("alert")).to_contain_text("a token is needed")
    assert page.locator("tbody").count() == 0
    page.goto(server.origin + "/#token=wrong")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("the token is wrong")


def test_the_policy_holds_against_ourselves(watched: Watched, server: Serving) -> None:
    page = watched.page
    page.goto(server.address)
    expect(page.locator("tbody tr")).to_have_count(4)
    with pytest.raises(Exception, match="Trusted"):
        page.evaluate("() => { document.body.innerHTML = '<img src=x onerror=\"window.hit = 1\">' }")
    for attempt in (
        "const b = document.createElement('button'); document.body.append(b); b.setAttribute('onclick', 'window.hit = 2'); b.click()",
        "const s = document.createElement('script'); s.append('window.hit = 3'); document.body.append(s)",
        "location.href = 'javascript:window.hit = 4'",
    ):
        page.evaluate(f"() => {{ try {{ {attempt} }} catch {{ /* just as well */ }} }}")
    page.wait_for_timeout(200)
    assert page.evaluate("window.hit === undefined")
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
    assert page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_the_keyboard(browser: Browser, server: Serving, scheme: Any) -> None:
    watched = Watched(browser, server, color_scheme=scheme)
    page = watched.page
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(server.address)
    expect(page.locator("tbody tr")).to_have_count(4)
    for place in ("registry", "entry?name=org%2Fparent", "scan", "jobs", "api"):
        page.goto(f"{server.origin}/#/{place}")
        page.wait_for_selector("h1")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, place
    page.goto(f"{server.origin}/#/registry")
    expect(page.locator("tbody tr")).to_have_count(4)
    page.get_by_role("searchbox").press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/entry?**")
    watched.sound()
    watched.context.close()
