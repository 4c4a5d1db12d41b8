import polars as pl
import pytest

from prodintel_lib.analyses.log_templates.settling import find_said_values, settle_shapes, split_tokens


@pytest.mark.parametrize(
    ("shape", "settled"),
    [
        ("acquire tag=AudioMix, ws=null, uid=<*>", "acquire tag=<*>, ws=<*>, uid=<*>"),
        ('name="View Lock" rest', "name=<*> rest"),
        ("callingPid = main done", "callingPid = <*> done"),
        ("logname= uid=<*> ruser= rhost=web", "logname=<*> uid=<*> ruser=<*> rhost=<*>"),
        ("restart=false and ok = true", "restart=false and ok = true"),
        ("trueish=truest", "trueish=<*>"),
        ("a == b", "a == b"),
        ("status=<*>, msg=Left Ticket, data=<*>", "status=<*>, msg=Left Ticket, data=<*>"),
        ("Config(name=big red box, value=<*>)", "Config(name=<*>, value=<*>)"),
        ("stops=[a, b] to=User{<*> x{y}} rect=Rect(<*> - <*>)", "stops=<*> to=<*> rect=<*>"),
        ("Skipping Window{<*> token=Token{<*>}} -- hide", "Skipping <*> -- hide"),
        ("Intent { act=x } sent", "Intent { act=<*> } sent"),
        ("stations: [north, south]", "stations: <*>"),
        ("Starting nginx: [ OK ]", "Starting nginx: [ OK ]"),
        ("Resolved <*> to /default-rack", "Resolved <*> to <*>"),
        ("read and/or write", "read and/or write"),
        ("GET <*>?all=True&host=x ok", "GET <*> ok"),
        ("class org.apache.Foo of a.b", "class <*> of a.b"),
        ("org.apache.Foo says a", "org.apache.Foo says a"),
        ("environment:java.class.path=<*>, at x.y.z. Then a.b.c,d.e.f.", "environment:java.class.path=<*>, at <*>. Then <*>."),
        ("connection from <*> () at <*>", "connection from <*> at <*>"),
        ('user "big john" left', 'user "<*>" left'),
        ("can't find 'big john' or 'x'", "can't find '<*>' or '<*>'"),
        ("<*> bytes (<*> KB) sent in <<*> sec", "<*> sent in <*>"),
        ("<*> seconds", "<*> seconds"),
        ("<*>, <*> <*>:<*>|<*> end", "<*> end"),
        ('level=error msg="db down after <*>" user=bob', 'level=error msg="db down after <*>" user=<*>'),
        ('{"level":"warn","msg":"no disk","user":"bo\\"b","n":<*>}', '{"level":"warn","msg":"no disk","user":<*>,"n":<*>}'),
    ],
)  # fmt: skip
def test_settle_shapes_masks_what_its_place_tells(shape, settled):
    assert pl.select(settle_shapes(pl.lit(shape))).item() == settled


def test_find_said_values_takes_words_after_equals_signs_and_in_quotes():
    said = pl.Series(["user=Root x = web \"mail\" 'x y' ('cart')", "GET <*>", "logname= uid=<*>"])
    assert find_said_values(said) == {"root", "web", "mail", "cart"}


def test_split_tokens_keeps_every_character():
    line = "a=<*>, b (c): [d] {e} \"f\" 'g' | h;i <ok> *"
    assert "".join(split_tokens(line)) == line
    assert split_tokens("jk init(): on") == ("jk", " init", "(", ")", ":", " on")


def test_split_tokens_folds_lists_of_groups_with_slots():
    assert "".join(split_tokens("sick <*> <ok> <*> <ok> <*> <ok>: end")) == "sick <*> <ok>: end"
    assert "".join(split_tokens("a b a b a b")) == "a b a b a b"
