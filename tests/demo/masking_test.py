from demo.shop.masking import masked_body


def test_masked_body_masks_secrets_at_any_depth() -> None:
    raw = b'{"password": "p", "cards": [{"card_token": "tok_1", "kind": "visa"}], "token": {"a": 1}}'

    assert masked_body(raw) == (
        '{"password":"[masked]","cards":[{"card_token":"[masked]","kind":"visa"}],"token":"[masked]"}'
    )


def test_masked_body_keeps_what_is_no_secret() -> None:
    assert masked_body('{"tokens": 3, "name": "Zoë"}'.encode()) == '{"tokens":3,"name":"Zoë"}'


def test_masked_body_is_none_when_it_is_not_json() -> None:
    assert masked_body(b"card_token=tok_1") is None
