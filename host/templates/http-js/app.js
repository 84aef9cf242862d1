// Answers requests. What wfh calls is `incomingHandler.handle`.
import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from "wasi:http/types@0.2.10";
import { greet } from "./greet.js";

const encode = (text) => new TextEncoder().encode(text);

export const incomingHandler = {
  handle(request, responseOut) {
    const text = greet(request.pathWithQuery() ?? "/");
    const headers = Fields.fromList([["content-type", encode("text/plain")]]);
    const response = new OutgoingResponse(headers);
    const body = response.body();
    ResponseOutparam.set(responseOut, { tag: "ok", val: response });

    const stream = body.write();
    stream.blockingWriteAndFlush(encode(text));
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
  },
};
