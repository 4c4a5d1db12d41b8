import re

from prodintel_lib.sources.report import IngestReport, SourceReport

CLEAN = SourceReport("a.jsonl", "otlp", True, 5, {"spans": 5}, {}, 0)
LOSSY = SourceReport("b.jsonl", "otlp", True, 7, {"spans": 3}, {"duplicate": 2}, 2)
OTHER = SourceReport("<b>.csv", "", False, 1, {}, {}, 1)


def cells(report):
    shown = re.findall(r"<td[^>]*>(.*?)</td>", report._repr_html_(), re.DOTALL)
    plain = [re.sub(r"<[^>]+>", "", cell) for cell in shown]
    return [plain[n : n + 6] for n in range(0, len(plain), 6)]


def test_report_shows_rows_by_format_and_the_files_that_lost_some():
    assert cells(IngestReport((CLEAN, LOSSY, OTHER))) == [
        ["1 file", "not recognised", "1", "none", "none", "1"],
        ["2 files", "otlp", "12", "8 spans", "2 duplicate", "2"],
        ["b.jsonl", "otlp", "7", "3 spans", "2 duplicate", "2"],
        ["&lt;b&gt;.csv", "not recognised", "1", "none", "none", "1"],
    ]


def test_report_adds_up():
    report = IngestReport((CLEAN, LOSSY, OTHER))
    assert report.sentence() == "Rows read 13 = kept 8 + duplicate 2 + quarantined 3."
    assert report.rows_read == sum(report.kept.values()) + sum(report.dropped.values()) + report.quarantined
