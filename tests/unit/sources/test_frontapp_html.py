"""HTML, tidy and hostile, against the text that is read from it."""

import html as standard
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_memory.pipeline.sources.frontapp.html_text import html_text

# Closing the standard parser after these takes 3 to 16 minutes: then the test runs into its time limit.
LENGTH: Final = 500_000


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a &amp; b&nbsp;&lt;c&gt; &#8212; &#x1F69B;", "a & b <c> — 🚛"),
        ("AT&T", "AT&T"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<b>bo</b>ld", "bold"),
        ("<ul><li>a<li>b</ul>", "a\nb"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("  many \n\t spaces\n\nhere ", "many spaces here"),
        ("<style>p {color: red}</style>x<script>if (a < b) alert('</p>')</script>y", "xy"),
        ("x<!-- hidden -->y<!DOCTYPE html>z", "xyz"),
        ("<![if !supportLists]>x<![endif]>y", "xy"),
        ("<![CDATA[x]]>y", "y"),
        ("<?xml version='1.0'?>x", "x"),
        ("<a title=\"a > b\" href='#'>x</a>", "x"),
        ("5 < 6 and 7 > 2", "5 < 6 and 7 > 2"),
        ("<p>never closed", "never closed"),
        ("closed</p></div></b> never opened", "closed\nnever opened"),
        ("the end is <b", "the end is <b"),
        ("<p>a</p><!-- never ends <p>b</p>", "a\n<!-- never ends b"),
        ("<style>never ends<p>b</p>", "never ends b"),
        ("a<script/>b", "ab"),
        ('<img src="cid:1" alt="logo">x', "x"),
    ],
)
def test_html_is_read_as_text(source: str, text: str) -> None:
    assert html_text(source) == text


def test_quotes_of_any_depth_are_read() -> None:
    deep = "<blockquote><p>x</p>" * 450 + "</blockquote>" * 450

    assert html_text(deep) == "\n".join("x" * 450)


def test_a_depth_that_no_stack_would_hold_is_read() -> None:
    assert html_text("<div>" * 100_000 + "x" + "</div>" * 100_000) == "x"


@pytest.mark.parametrize("reference", ["&#" + "9" * 5_000 + ";", "&#x" + "f" * 5_000 + ";", "&#99999999"])
def test_a_reference_to_no_character_is_replaced(reference: str) -> None:
    assert html_text(f"a{reference}b") == "a\ufffdb"
    assert html_text(f'<a href="{reference}">b</a>') == "b"


@pytest.mark.parametrize(
    "seed",
    [
        *(
            "<!--",
            "<!",
            "<?",
            "<",
            "</",
            "<a ",
            "<a b='",
            '<a b="',
            "<a b=  '",
            "<![foo[",
            "&#",
            "&#9",
            "&amp",
        ),
        *(
            "<script>",
            "<style></",
            "</ ",
            "</a<",
            "<!-- --",
            "<a ====",
            "<a/",
            "'\"<a =",
            "<p a=\"'>",
            "\t<a\n=\n<",
        ),
    ],
)
def test_what_never_ends_is_read_once(seed: str) -> None:
    assert len(html_text(seed * (LENGTH // len(seed)))) <= LENGTH * 2


@given(st.text(st.sampled_from("<>!-/?[]&#;'\"= \nabpxdiv8\ud800\x00🚛"), max_size=60))
def test_any_text_is_read(source: str) -> None:
    assert html_text(source) == html_text(source).strip()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_escaped_text_comes_back_whole_but_for_its_spaces(text: str) -> None:
    assert html_text(standard.escape(text)).split() == standard.unescape(standard.escape(text)).split()
