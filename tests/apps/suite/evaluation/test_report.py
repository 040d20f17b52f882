"""The report says what a model card has to, holds everything it shows, and trusts no text."""

import base64
import dataclasses
import html.parser
import re

import pytest

from apps.suite.commands import command as configuration
from apps.suite.evaluation import comparison, plots, report
from apps.suite.runs import files, run_folder


@dataclasses.dataclass(frozen=True)
class Group:
    units: int = 3
    note: str = ""
    limit: int | None = 4
    shares: tuple[float, ...] = (0.5, 0.25)


@dataclasses.dataclass(frozen=True)
class Config:
    preset: str = "default"
    data: str = ""
    seed: int = 0
    group: Group = Group()


PRESETS = {"default": Config()}
WAV = b"RIFF and so on"
EVIL = "<script src='https://example.org/x.js'></script><img src=x onerror=alert(1)> & \"'"


class Page(html.parser.HTMLParser):
    """Everything of a page that a test asks for."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self.headings = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]

    def handle_data(self, data):
        if self.tags and self.tags[-1] in ("h1", "h2", "h3") and data.strip():
            self.headings.append(data.strip())
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def make_metrics(model=1.0):
    test = {"error": model, "rows": 7}
    baselines = {"mean": {"error": 2.0}}
    return {
        "data": {"examples": {"train": 1000, "test": 10}, "split": "by year", "unit": "rows"},
        "primary": comparison.primary("error", test, baselines, higher_is_better=False),
        "test": test,
        "baselines": baselines,
    }


@pytest.fixture
def folder(tmp_path):
    config = Config(seed=5, group=Group(units=9, note="two words", limit=None, shares=(0.1,)))
    data = {"name": "weather", "fingerprint": "f00d"}
    with run_folder.start(tmp_path / "my run", "some_task", config, data) as folder:
        folder.history_file.write_text("step,loss,validation_loss\n1,2.0,2.1\n2,1.0,1.5\n")
        folder.finish_training(75.0)
        yield folder


def render(folder, metrics=None, **changes):
    card = report.Card(
        title="Weather",
        summary="Says what comes next.",
        facts={"parameters": "12,345"},
        data={"Licence": "CC0", "Source": "https://example.org/weather"},
        results=[plots.model_and_baselines(folder.plots, metrics or make_metrics(), "metres")],
        learning=[plots.learning_curve(folder.plots, folder.history_file, "metres")],
        examples=[
            report.Section(
                "Good and bad",
                [
                    report.Passage("The best", "and its answer", lead="a question "),
                    report.Heated("The worst", [("hot", 3.0), ("cold", 0.0)], 4.0, "metres"),
                    report.Table("Cases", ["", "value"], [["a", "1"], ["b", "2"]], marked="b"),
                    report.Audio("How it sounds", WAV),
                ],
            )
        ],
        meaning={"error": "How far off."},
        limits=["Not for ships."],
        serving=[report.Commands("Ask it:", "curl localhost")],
        presets=PRESETS,
    )
    file = report.render(folder, dataclasses.replace(card, **changes), metrics or make_metrics())
    assert file == folder.report_file
    return file.read_text(encoding="utf-8")


def test_it_holds_what_a_model_card_has_to(folder):
    page = Page(render(folder))
    assert page.headings == [
        "Weather",
        "Results",
        "Learning curve",
        "Examples",
        "Good and bad",
        "Data",
        "Limits",
        "Use and serve",
        "Reproduce",
    ]
    record = files.read_json(folder.config_file)
    for said in (
        "Says what comes next.",
        "The model is better than the best baseline, mean: 1.000 against 2.000 error.",
        "12,345",
        "weather", "f00d", "CC0", "by year", "Training part 1,000 rows", "Test part 10 rows",
        "How far off.", "Not for ships.", "curl localhost",
        "a question and its answer", "hot cold",
        record["commit"], record["hardware"], record["versions"]["tensorflow"], "Seed 5", "75 s",
        "group.units 9 (changed)", "group.limit None (changed)",
    ):  # fmt: skip
        assert " ".join(said.split()) in page.text


def test_the_baseline_is_named_when_it_is_the_better_one(folder):
    text = render(folder, make_metrics(model=3.0))
    assert "The baseline mean is better than the model: 3.000 against 2.000 error." in text
    assert 'class="verdict lost"' in text
    best = re.search(r'<tr class="marked">\s*<th scope="row">(\w+)', text)
    assert best is not None
    assert best.group(1) == "mean"


def test_nothing_is_loaded_from_elsewhere(folder):
    text = render(folder)
    page = Page(text)
    assert "script" not in page.tags
    for tag, name, value in page.attributes:
        if name in ("src", "srcset", "poster", "data", "action") or (tag, name) == ("link", "href"):
            assert value.startswith("data:"), (tag, name, value[:60])
        assert not name.startswith("on")
    assert "@import" not in text
    assert "url(" not in text
    policies = [value for _, name, value in page.attributes if name == "content"]
    assert any("default-src 'none'" in policy for policy in policies)


def test_links_are_followed_by_hand_and_lead_to_https_or_into_the_page(folder):
    text = render(folder, data={"Source": "https://example.org/w", "Other": "javascript:alert(1)"})
    links = [value for tag, name, value in Page(text).attributes if (tag, name) == ("a", "href")]
    assert "https://example.org/w" in links
    inside = {value for _, name, value in Page(text).attributes if name == "id"}
    assert all(link.startswith("https://") or link.removeprefix("#") in inside for link in links)


def test_every_text_is_escaped(folder):
    harmless = Page(render(folder))
    page = Page(
        render(
            folder,
            title=EVIL,
            summary=EVIL,
            facts={EVIL: EVIL},
            data={EVIL: EVIL},
            examples=[
                report.Section(
                    EVIL,
                    [
                        report.Paragraph(EVIL),
                        report.Passage(EVIL, EVIL, lead=EVIL),
                        report.Heated(EVIL, [(EVIL, 1.0)], 2.0, EVIL),
                        report.Table(EVIL, [EVIL, EVIL], [[EVIL, EVIL]]),
                        report.Commands(EVIL, EVIL),
                        report.Audio(EVIL, WAV),
                    ],
                )
            ],
            meaning={EVIL: EVIL},
            limits=[EVIL],
        )
    )
    assert "script" not in page.tags
    assert page.tags.count("img") == harmless.tags.count("img")
    assert page.text.count("<script src='https://example.org/x.js'></script>") >= 15


def test_images_have_words_and_tables_have_captions_and_headers(folder):
    page = Page(render(folder))
    images = page.tags.count("img")
    words = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert images == 2
    assert len(words) == images
    assert all(len(each) > 20 for each in words)
    assert page.tags.count("caption") == page.tags.count("table") == 2
    scopes = {value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")}
    assert scopes == {"col", "row"}
    assert ("html", "lang", "en") in page.attributes


def test_a_sound_is_in_the_page_with_a_player_that_says_what_it_plays(folder):
    page = Page(render(folder))
    player = {name: value for tag, name, value in page.attributes if tag == "audio"}
    assert "controls" in player
    assert "autoplay" not in player
    assert player["aria-label"] == "How it sounds"
    held = player["src"].removeprefix("data:audio/wav;base64,")
    assert base64.b64decode(held) == WAV
    (policy,) = [
        value for _, name, value in page.attributes if name == "content" and "-src" in value
    ]
    assert "media-src data:;" in policy


def test_both_themes_are_there(folder):
    text = render(folder)
    assert text.count("prefers-color-scheme: dark") == 3  # the page's colours, and two plots
    assert text.count("data:image/png;base64,") == 4


def test_the_command_that_repeats_the_run_is_read_back_as_its_config(folder):
    command = report.train_command("some_task", PRESETS, folder.config, folder.path)
    assert command.startswith("python -m apps.some_task.train --preset default --seed 5 ")
    words = report.shlex.split(command)[3:]
    options = configuration.train_options("some_task", PRESETS, words)
    assert options.config == folder.config
    assert options.run == folder.path


def test_a_preset_as_it_is_needs_no_fields():
    config = Config()
    assert list(report.changed_fields(PRESETS, config)) == []
    command = report.train_command("some_task", PRESETS, config, "runs/x")
    assert command == "python -m apps.some_task.train --preset default --seed 0 --run runs/x"


def test_heat_goes_from_nothing_to_the_full_level():
    levels = [report.heat(value, 4.0) for value in (-1.0, 0.0, 2.0, 4.0, 100.0)]
    assert levels == [0, 0, 5, report.HEAT_LEVELS, report.HEAT_LEVELS]


def test_the_ways_to_ask_name_the_run_and_send_a_body_that_is_piped_or_written(folder):
    first, second, _ = report.ways_to_ask(folder, "a.wav", "@-", made_by="echo '{}'")
    assert first.text.startswith(f"python -m apps.{folder.task}.predict --run ")
    assert first.text.endswith(" a.wav")
    assert "echo '{}' |\ncurl -X POST" in second.text
    assert second.text.endswith(f"{folder.task}:predict \\\n    -d @-")
    _, written, _ = report.ways_to_ask(folder, "a.csv", "@request.json")
    assert "|" not in written.text
