import assert from "node:assert/strict";
import { test } from "node:test";
import { greet } from "./greet.js";

test("it greets", () => {
  assert.equal(greet("/"), "hello, world\n");
});
