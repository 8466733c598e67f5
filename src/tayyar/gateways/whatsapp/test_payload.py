"""The payload of a template message: the documented shape, and nothing in it that Meta refuses for its spaces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tayyar.core.errors import UserError
from tayyar.customers.models import Channel
from tayyar.gateways.whatsapp.options import read_options
from tayyar.gateways.whatsapp.payload import message, one_line
from tayyar.notifications.ports import WhatsAppContent
from tayyar.notifications.providers import ProviderConfig

CONTENT = WhatsAppContent(
    template="bill_issued",
    parameters=("276.00 ريال", "11 ديسمبر"),
    document_url="https://u.example/b/t.pdf",
    document_name="فاتورة.pdf",
    button_suffix="t0k3n",
)
OPTIONS = {"phone_number_id": 1122334455667, "access_token": "t", "app_secret": "s", "verify_token": "v"}


def test_the_payload_is_the_one_of_the_cloud_apis_documentation():
    assert message(CONTENT, to="+966500000001", language_code="ar", echo="202611.1.123.0.1.1") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "966500000001",
        "type": "template",
        "biz_opaque_callback_data": "202611.1.123.0.1.1",
        "template": {
            "name": "bill_issued",
            "language": {"code": "ar"},
            "components": [
                {
                    "type": "header",
                    "parameters": [
                        {
                            "type": "document",
                            "document": {"link": "https://u.example/b/t.pdf", "filename": "فاتورة.pdf"},
                        }
                    ],
                },
                {
                    "type": "body",
                    "parameters": [
                        {"type": "text", "text": "276.00 ريال"},
                        {"type": "text", "text": "11 ديسمبر"},
                    ],
                },
                {
                    "type": "button",
                    "sub_type": "url",
                    "index": "0",
                    "parameters": [{"type": "text", "text": "t0k3n"}],
                },
            ],
        },
    }


def test_a_bare_template_has_no_components():
    bare = message(WhatsAppContent("hello", ()), to="+966500000001", language_code="en", echo="k")
    assert bare["template"] == {"name": "hello", "language": {"code": "en"}}


def test_named_parameters_carry_their_names():
    named = message(CONTENT, to="+1", language_code="ar", echo="k", parameter_names=("amount", "due"))
    assert [item["parameter_name"] for item in named["template"]["components"][1]["parameters"]] == [
        "amount",
        "due",
    ]


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("a\nb", "a b"),
        (" a \r\n\t b ", "a b"),
        ("a    b", "a b"),
        ("a   b", "a   b"),
        ("1\u00a0276,00", "1\u00a0276,00"),
        ("a\u2028b", "a b"),
    ],
)
def test_breaks_and_long_gaps_become_one_space(written: str, taken: str):
    assert one_line(written) == taken


@given(st.text(alphabet=" \n\t\r\v\f\x85\u2028\u2029ab\u00a0"))
def test_no_text_keeps_what_meta_refuses(text: str):
    assert not {"\n", "\r", "\t"} & set(one_line(text))
    assert "    " not in one_line(text)


def test_numbers_in_the_providers_file_need_no_quotes_and_defaults_are_metas():
    options = read_options(ProviderConfig("wa", Channel.WHATSAPP, "WHATSAPP", options=OPTIONS))
    assert options.messages_url == "https://graph.facebook.com/v26.0/1122334455667/messages"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"app_secret": ""}, "needs app_secret"),
        ({"phone_number_id": "+966 5"}, "digits only"),
        ({"access_token": "a\nb"}, "Copy it again"),
        ({"base_url": "graph"}, "begins with https://"),
        ({"version": "24"}, "v26.0"),
        ({"concurrency": 0}, "1 to 1000"),
        ({"concurrency": True}, "1 to 1000"),
        ({"languages": ["ar"]}, "languages is a map"),
        ({"parameter_names": {"a": "b"}}, "parameter_names is a map"),
        ({"speed": 1}, "speed is no option"),
    ],
)
def test_a_wrong_option_is_named_with_the_way_to_mend_it(wrong: dict[str, object], said: str):
    with pytest.raises(UserError, match=said):
        read_options(ProviderConfig("wa", Channel.WHATSAPP, "WHATSAPP", options=OPTIONS | wrong))
