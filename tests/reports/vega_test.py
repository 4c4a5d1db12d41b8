import vl_convert

from prodintel_lib.reports.vega import vega_bundle


def test_vega_bundle_keeps_what_it_made(tmp_path, monkeypatch):
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda _: "a='</script><!--<SCRIPT'")
    made = vega_bundle(cache_dir=tmp_path / "c")
    assert made == r"a='\x3c/script>\x3c!--\x3cSCRIPT'"
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda _: "other")
    assert vega_bundle(cache_dir=tmp_path / "c") == made
    assert len(list((tmp_path / "c").iterdir())) == 1


def test_vega_bundle_does_without_a_folder_it_cannot_write(tmp_path, monkeypatch):
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda _: "a")
    (tmp_path / "file").write_text("")
    assert vega_bundle(cache_dir=tmp_path / "file") == "a"
