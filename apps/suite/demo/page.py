"""Builds the demo page: a tab for each exported model, chosen by the model's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import fastapi
import gradio
import starlette.types

from apps.suite.demo import elements, guard, request_box
from apps.suite.export import asking

TITLE = "Try the models"
LARGEST_UPLOAD = "200mb"
_STYLE = Path(__file__).with_name("page.css")
_SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica", "sans-serif")
_SYSTEM_MONOSPACE = ("ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
# The page asks its own server only, whatever a library wants: for fonts and for code alike
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "worker-src 'self' blob:; connect-src 'self' blob: data:; font-src 'self' data:; "
    "form-action 'self'; object-src 'none'; base-uri 'self'"
)


class Tab(NamedTuple):
    """A task's tab: its title, a line that explains it, and the function that builds it."""

    title: str
    explained: str
    build: Callable[[asking.ExportedModel], None]


def page(
    models: Sequence[asking.ExportedModel], tabs: Mapping[str, Tab], source: str
) -> gradio.Blocks:
    """Builds the page.

    Args:
        models: one tab each.
        tabs: by the name of the model, in the order in which they are shown; models without a tab
            follow with a box for requests.
        source: says where the models are; the line below the title.
    """
    order = [*tabs, *sorted(model.name for model in models if model.name not in tabs)]
    with gradio.Blocks(analytics_enabled=False, title=TITLE) as blocks:
        elements.place(f"<header><h1>{TITLE}</h1><p>{elements.escape(source)}</p></header>")
        with gradio.Tabs():
            for model in sorted(models, key=lambda each: order.index(each.name)):
                shown = tabs.get(model.name)
                with gradio.Tab(shown.title if shown else model.name):
                    _fill(model, shown)
    return blocks


def _fill(model: asking.ExportedModel, shown: Tab | None) -> None:
    explained = shown.explained if shown else request_box.EXPLAINED
    elements.place(
        f'<p class="explained">{elements.escape(explained)} '
        f"<span>{elements.escape(model.name)}, version {model.number}</span></p>"
    )
    if shown is None:
        request_box.tab(model)
        return
    shown.build(model)
    with gradio.Accordion("For programs: signatures and requests", open=False):
        request_box.tab(model)


def application(blocks: gradio.Blocks, host: str, port: int) -> fastapi.FastAPI:
    """Returns the page as an ASGI application, in the fonts of the machine that shows it.

    It answers only who names an address of it, and reads only a browser's own uploads; see `guard`.
    """
    theme = gradio.themes.Base(
        primary_hue="blue", neutral_hue="slate", font=_SYSTEM_FONTS, font_mono=_SYSTEM_MONOSPACE
    ).set(  # the theme's own greys are too faint to be read by everybody
        body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700", block_title_text_color="*neutral_800",
        input_placeholder_color="*neutral_500", button_large_text_weight="500",
        button_medium_text_weight="500",
    )  # fmt: skip
    app = fastapi.FastAPI(openapi_url=None)
    gradio.mount_gradio_app(
        app, blocks, path="/", server_name=host, server_port=port, theme=theme, css_paths=[_STYLE],
        footer_links=[], run_history=False, ssr_mode=False, enable_monitoring=False, pwa=False,
        mcp_server=False, show_error=False, max_file_size=LARGEST_UPLOAD,
    )  # fmt: skip
    # Only then does Gradio refuse paths outside its folder of uploads, which `guard` does as well
    blocks.has_launched = True
    app.add_middleware(_OwnServerOnly)
    app.add_middleware(guard.Guard, host=host, port=port)
    return app


class _OwnServerOnly:
    """Sends the policy with each answer."""

    def __init__(self, app: starlette.types.ASGIApp) -> None:
        self._app = app

    async def __call__(
        self,
        scope: starlette.types.Scope,
        receive: starlette.types.Receive,
        send: starlette.types.Send,
    ) -> None:
        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"content-security-policy", _POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self._app(scope, receive, with_policy)
