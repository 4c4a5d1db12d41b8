"""Fault injection: a proxy that speaks Toxiproxy's HTTP API and adds faults for a share of HTTP requests.

``server`` runs the proxies and the API, ``client`` drives any server of that API, a real Toxiproxy included. This
package imports neither, so that whoever needs only the client does not pay for the event loop.
"""
