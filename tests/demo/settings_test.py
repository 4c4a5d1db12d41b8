import pytest

from demo.shop.settings import ServiceSettings, read_settings
from prodintel_lib.errors import ParameterError


def test_read_settings_gives_back_what_was_written() -> None:
    settings = ServiceSettings(
        service="payment",
        version="2.4.2",
        instance="payment-2.4.2-7",
        listen_fd=5,
        policy='{"breaker": null}',
        dependencies={"card-processor": "http://127.0.0.1:1"},
    )

    assert read_settings(settings.to_environment()) == settings


def test_read_settings_names_the_variable_that_is_missing() -> None:
    with pytest.raises(ParameterError, match="SHOP_SERVICE"):
        read_settings({})
