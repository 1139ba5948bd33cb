"""The application: from a request to a page, through the guard first."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from rtrace.debugging import debug
from rtrace.errors import AmbiguousRunError, NoSuchRunError, RtraceError
from rtrace.pages.rendering import make_environment, write_query
from rtrace.plugins import load
from rtrace.web.guard import TICKET, TOKEN, was_addressed
from rtrace.web.responses import Environ, answer_page, secure

if TYPE_CHECKING:
    from rtrace.record.history.protocol import Catalogue, History
    from rtrace.web.guard import Guard

_RUN = "/run/<id:run>"
ROUTES = {
    "/": "listing:show_list",
    "/compare": "comparing:show_comparison",
    "/help": "helping:show_help",
    "/static/<name>": "assets:show_asset",
    _RUN: "run:show_run",
    f"{_RUN}/record.json": "run:save_record",
    f"{_RUN}/list/<name>": "run:show_table",
    f"{_RUN}/graph": "provenance:show_graph",
    f"{_RUN}/file/<kind>/<int:number>": "files:show_file",
    f"{_RUN}/file/<kind>/<int:number>/picture": "files:send_picture",
    f"{_RUN}/file/<kind>/<int:number>/save": "files:save_file",
    f"{_RUN}/bundle/<int:number>": "bundles:save_bundle",
}
FORMS = {f"{_RUN}/annotate": "editing:annotate_run"}
"""Addresses, each with the function below `rtrace.web.pages` that answers; the second ones change something."""

_TITLES = {
    400: "This cannot be answered",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible",
    421: "Another host",
}
_MOST_PARTS = 40


class IdConverter(BaseConverter):
    """The identifier of a run in an address: nothing else reaches a history."""

    regex = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclass
class Visit:
    """A request that was let in, and what its page needs: a history of its own, and a catalogue if it asks for it.

    Requests are answered in several threads, and a connection to a database is for one.
    """

    site: Site
    request: Request
    history: History
    _catalogue: Catalogue | None = None

    @property
    def catalogue(self) -> Catalogue:
        """The index, brought up to date for this request."""
        if self._catalogue is None:
            self._catalogue = self.history.catalogue()
        return self._catalogue

    def render(self, template: str, **values: object) -> Response:
        """Return a page of a template."""
        return answer_page(self.site.render(template, **values))

    def close(self) -> None:
        """Close the catalogue, if one was opened."""
        if self._catalogue is not None:
            self._catalogue.close()


class Site:
    """The pages of one history, for whom the guard lets in."""

    def __init__(self, open_history: Callable[[], History], guard: Guard) -> None:
        """Prepare the templates and addresses."""
        self._open_history = open_history
        self._place = open_history().place
        self._guard = guard
        self._templates = make_environment("rtrace.web")
        rules = [Rule(path, endpoint=name, methods=["GET"]) for path, name in ROUTES.items()]
        rules += [Rule(path, endpoint=name, methods=["POST"]) for path, name in FORMS.items()]
        self._map = Map(rules, converters={"id": IdConverter}, strict_slashes=True, merge_slashes=False)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, as WSGI has it."""
        request = Request(environ)
        request.max_form_parts, request.max_form_memory_size = _MOST_PARTS, None  # the server has limited the whole
        response = secure(self._answer(request))
        debug(__name__, "%s %s: %d", request.method, request.path, response.status_code)  # without what is behind the ?
        answer = response(environ, start_response)
        if request.method == "HEAD":  # nobody reads the file that it has open
            response.close()
        return answer

    def render(self, template: str, **values: object) -> str:
        """Return the text of a template."""
        return self._templates.get_template(template).render(
            {"q": "", "check": self._guard.check, "place": self._place, **values}
        )

    def _answer(self, request: Request) -> Response:
        try:
            self._guard.check_host(request)
            self._guard.check_peer(request)
            if request.method in {"GET", "HEAD"} and self._guard.is_arrival(request):
                return self._welcome(request)
            self._guard.check_admitted(request)
            return self._visit(request)
        except HTTPException as error:
            if error.response is not None and isinstance(error.response, Response):
                return error.response
            return self._explain(error.code or 500, error.description or "", error)
        except (NoSuchRunError, AmbiguousRunError) as error:
            return self._explain(404, str(error))
        except RtraceError as error:
            return self._explain(500, str(error))
        except Exception:  # noqa: BLE001 -- of a mistake of ours the other pages know nothing
            debug(__name__, "%s", traceback.format_exc())
            return self._explain(500, "This page could not be made: `RTRACE_LOG=1 rtrace web` tells why.")

    def _visit(self, request: Request) -> Response:
        endpoint, values = self._map.bind_to_environ(request.environ).match()
        if request.method == "POST":
            self._guard.check_form(request)
        page: Callable[..., Response] = load(f"rtrace.web.pages.{endpoint}")
        with closing(Visit(self, request, self._open_history())) as visit:
            return page(visit, **values)

    def _welcome(self, request: Request) -> Response:
        """Let a browser in, and lead it to the same address without what let it in."""
        rest = {name: value for name, value in request.args.items() if name not in {TOKEN, TICKET}}
        # Two slashes at the beginning would be the name of another host.
        target = "/" + request.path.lstrip("/\\") + (f"?{write_query(rest)}" if rest else "")
        if was_addressed(request):
            response: Response = redirect(target, 303, Response=Response)
        else:  # what another page leads to, the browser follows without our cookie
            response = answer_page(self.render("welcome.html", target=target))
        self._guard.admit(response)
        return response

    def _explain(self, status: int, sentence: str, error: HTTPException | None = None) -> Response:
        title = _TITLES.get(status, "This did not work")
        response = answer_page(self.render("error.html", title=title, sentence=sentence, status=status), status)
        if error is not None:
            response.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
        return response
