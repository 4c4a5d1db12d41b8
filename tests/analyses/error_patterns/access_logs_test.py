"""Errors and routes of real access logs are as many as DuckDB and awk count in the raw lines."""

from benchmarks.logs import access


def test_errors_of_access_logs_are_those_of_the_raw_lines(shared_data, capsys, needs_program):
    needs_program("awk")
    assert access.main([str(shared_data)]) == 0
    said = capsys.readouterr().out
    assert said.count(", equal") == 8
    assert "met by 52 clients and 36 bots" in said
