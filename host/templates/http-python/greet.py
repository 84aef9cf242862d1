"""What is answered. It knows nothing of WASI, so that any Python can test it."""


def greet(_path: str) -> str:
    return "hello, world\n"
