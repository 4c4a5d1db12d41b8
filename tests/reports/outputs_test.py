import pytest

from prodintel_lib.markup import facts, figure_text, paragraph, table, tag, tone
from prodintel_lib.reports.outputs import sanitise


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ("<script>alert(1)</script>x", "x"),
        ("<style>td{}</style>x", "x"),
        ("<p onclick='x' style='color:red' id='main' class='say'>a</p>", '<p class="say">a</p>'),
        ("<a href='javascript:x'>a</a>", "<a>a</a>"),
        ("<a href='&#106;avascript:x'>a</a>", "<a>a</a>"),
        ("<a href='data:text/html,x'>a</a>", "<a>a</a>"),
        ("<a href='https://x.org/'>a</a>", '<a href="https://x.org/">a</a>'),
        ("<iframe src='x'></iframe><object></object><form><input></form>a", "\na"),
        ("<img src=x onerror=y><svg onload=z></svg>a", "a"),
        ("<!-- c -->a", "a"),
        ("<scr<script></script>ipt>x", "x"),
    ],
)
def test_sanitise_keeps_only_what_is_read(html, kept):
    assert sanitise(html) == kept


def test_sanitise_keeps_what_results_are_made_of_and_takes_their_styles():
    made = (
        paragraph("p", kind="lead")
        + facts([("k", "v", "n", "bad")])
        + table(["a", "b"], [[tag("t"), tone("x", "warn")], [figure_text(1, n=2), None]], align="lr", caption="c")
    )
    clean = sanitise(made)
    assert "style" not in clean
    for part in (
        '<p class="lead">p</p>',
        '<div class="facts"><div><div class="k">k</div><div class="v bad">v</div><div class="n">n</div></div></div>',
        '<th scope="col" class="r">b</th>',
        '<td class="r"><span class="warn">x</span></td>',
        '<small class="n">n 2</small>',
        "<figcaption>c</figcaption>",
    ):
        assert part in clean
