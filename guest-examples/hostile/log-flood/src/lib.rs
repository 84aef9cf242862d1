//! Writes 16 MiB of lines to stdout and as much to stderr, then answers. `?mib=N` changes how much.

use std::io::{self, BufWriter, Write};

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

const MIB_DEFAULT: u64 = 16;
const LINE_BYTES: u64 = 128;
const BUFFER_BYTES: usize = 4096;

struct LogFlood;

wasip2::http::proxy::export!(LogFlood);

impl Guest for LogFlood {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let mib = support::query_number(&request, "mib").unwrap_or(MIB_DEFAULT);
        let lines = mib * 1024 * 1024 / LINE_BYTES;
        // A host may close either stream on a guest that writes too much; that is no failure here.
        let _ = flood(io::stdout().lock(), lines);
        let _ = flood(io::stderr().lock(), lines);
        support::text(response_out, 200, &format!("wrote {lines} lines to stdout and to stderr\n"));
    }
}

/// Numbered lines of [`LINE_BYTES`] each, the line feed included.
fn flood(stream: impl Write, lines: u64) -> io::Result<()> {
    let mut stream = BufWriter::with_capacity(BUFFER_BYTES, stream);
    for line in 0..lines {
        writeln!(stream, "{line:0>10}{:~>117}", " flood ")?;
    }
    stream.flush()
}
