"""Calls a box with the official Python package. Prints a line a case; the last says how many passed."""

import json
import struct
import base64

import openai

client = openai.OpenAI(max_retries=0)
passed = 0


def case(function):
    global passed
    function()
    passed += 1
    print(function.__name__, "ok")


def ask(content):
    return {"model": "tiny", "messages": [{"role": "user", "content": content}]}


TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]


@case
def whole():
    done = client.chat.completions.create(**ask("hi"), temperature=0, seed=1)
    assert done.choices[0].message.content == "你好，世界"
    assert done.usage.total_tokens == 7
    assert done.choices[0].finish_reason == "stop"


@case
def streamed():
    text, usage = "", None
    for chunk in client.chat.completions.create(**ask("hi"), stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
    assert text == "你好，世界" and usage.completion_tokens == 2


@case
def tools():
    done = client.chat.completions.create(**ask("weather?"), tools=TOOLS)
    call = done.choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather" and json.loads(call.function.arguments) == {"city": "北京"}
    with client.chat.completions.stream(**ask("weather?"), tools=TOOLS) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.name == "get_weather"


@case
def json_schema():
    schema = {"name": "n", "schema": {"type": "object", "properties": {"answer": {"type": "integer"}}}}
    done = client.chat.completions.create(**ask("x"), response_format={"type": "json_schema", "json_schema": schema})
    assert json.loads(done.choices[0].message.content) == {"answer": 42}


@case
def errors():
    for kind, arguments in [
        (openai.NotFoundError, {**ask("hi"), "model": "none"}),
        (openai.RateLimitError, ask("busy")),
        (openai.BadRequestError, {**ask("hi"), "n": 2}),
        (openai.BadRequestError, {**ask("hi"), "logprobs": True}),
        (openai.InternalServerError, {**ask("hi"), "model": "later"}),
    ]:
        try:
            client.chat.completions.create(**arguments)
            raise SystemExit(f"expected {kind.__name__}")
        except kind as error:
            assert error.body["message"] and error.body["type"]
    try:
        openai.OpenAI(api_key="sb-wrong", max_retries=0).models.list()
        raise SystemExit("expected AuthenticationError")
    except openai.AuthenticationError as error:
        assert error.code == "invalid_api_key"
    try:
        for _ in client.chat.completions.create(**ask("break"), stream=True):
            pass
        raise SystemExit("expected APIError")
    except openai.APIError as error:
        assert error.code == "engine_crashed"


@case
def cancellation():
    stream = client.chat.completions.create(**ask("forever"), stream=True)
    for index, _ in enumerate(stream):
        if index == 5:
            break
    stream.close()


@case
def embeddings():
    one = client.embeddings.create(model="tiny-embed", input="abcd")
    floats = client.embeddings.create(model="tiny-embed", input=["abcd"], encoding_format="float")
    raw = client.embeddings.create(model="tiny-embed", input=["abcd"], encoding_format="base64")
    assert all(abs(a - b) < 1e-6 for a, b in zip(one.data[0].embedding, floats.data[0].embedding))
    assert struct.unpack("<3f", base64.b64decode(raw.data[0].embedding))[0] == 4


@case
def models():
    assert [model.id for model in client.models.list()] == ["tiny", "kb:法规"]
    assert client.models.retrieve("kb:法规").id == "kb:法规"


@case
def knowledge():
    done = client.chat.completions.create(**ask("试用期最长多久？"), extra_body={"knowledge_bases": ["法规"]})
    assert [item.quote for item in done.choices[0].message.annotations] == ["试用期最长不得超过六个月。", "另有规定。"]
    with client.chat.completions.stream(**{**ask("试用期最长多久？"), "model": "kb:法规"}) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.content == "六个月 [1]。以上 [2]。"
    assert [item.marker for item in message.annotations] == [1, 2]


print(f"all {passed} passed")
