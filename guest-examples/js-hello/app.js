// Answers every request with `hello, world` and the path that was asked for.

import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.10';

const encoder = new TextEncoder();

export const incomingHandler = {
  handle(request, responseOut) {
    const headers = Fields.fromList([['content-type', encoder.encode('text/plain')]]);
    const response = new OutgoingResponse(headers);
    const body = response.body();
    ResponseOutparam.set(responseOut, { tag: 'ok', val: response });

    const stream = body.write();
    stream.blockingWriteAndFlush(encoder.encode(`hello, world, from JavaScript at ${request.pathWithQuery()}\n`));
    // The stream is a child of the body and must go first.
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
  },
};
