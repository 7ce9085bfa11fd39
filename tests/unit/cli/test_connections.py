"""Connections from a terminal: set with secrets from standard input or a prompt, listed, removed."""

import orjson
from tests.unit.cli.conftest import Apex

TURVO = ("connections", "set", "turvo", "--username", "ops@acme.example", "--client-id", "publicapi")


async def test_a_token_from_standard_input_connects_an_account(apex: Apex) -> None:
    result = await apex("connections", "set", "samsara", "--secrets-stdin", "--json", given="in-sight\n")
    listed = await apex("connections", "list")

    assert result.exit_code == 0, result.stderr
    assert orjson.loads(result.stdout)["base_url"] == "https://api.samsara.com"
    assert "samsara" in listed.stdout
    assert "in-sight" not in result.output + listed.output


async def test_secrets_are_read_in_their_order_and_names_are_options(apex: Apex) -> None:
    result = await apex(*TURVO, "--secrets-stdin", given="a password\na secret\nan-api-key\n")

    assert result.exit_code == 0, result.stderr
    assert "https://publicapi.turvo.com/v1" in result.stdout


async def test_what_is_not_given_is_asked_for_and_no_secret_is_shown(apex: Apex) -> None:
    given = "ops@acme.example\nhidden-one\npublicapi\nhidden-two\nhidden-three\n"

    result = await apex("connections", "set", "turvo", given=given)

    assert result.exit_code == 0, result.stderr
    assert "hidden" not in result.output
    assert "username" in result.output


async def test_another_base_is_refused_with_those_that_there_are(apex: Apex) -> None:
    result = await apex(
        *("connections", "set", "samsara", "--base-url", "https://evil.example", "--secrets-stdin"),
        given="in-sight\n",
    )

    assert result.exit_code == 1
    assert "https://api.eu.samsara.com" in result.stderr
    assert "in-sight" not in result.output


async def test_a_source_without_an_api_is_wrong_use(apex: Apex) -> None:
    result = await apex("connections", "set", "crm")

    assert result.exit_code == 2
    assert "frontapp, samsara, turvo" in result.stderr


async def test_a_connection_is_removed_once(apex: Apex) -> None:
    await apex("connections", "set", "samsara", "--secrets-stdin", given="in-sight\n")

    removed = await apex("connections", "remove", "samsara")
    again = await apex("connections", "remove", "samsara")
    listed = await apex("connections", "list", "--json")

    assert (removed.exit_code, again.exit_code) == (0, 1)
    assert orjson.loads(listed.stdout) == {"connections": []}
