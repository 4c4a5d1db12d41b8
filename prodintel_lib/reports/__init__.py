"""An executed notebook becomes one HTML file.

`html` renders the page, `prose` its text and code, `outputs` what cells have put out, `figures` its charts; `vega`
holds the one script that charts need.
"""
