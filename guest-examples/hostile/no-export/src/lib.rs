//! A component that is no function: it exports an interface that no host of functions knows.

use exports::example::other::api::Guest;

wit_bindgen::generate!({
    inline: "
        package example:other@1.0.0;
        interface api { run: func() -> string; }
        world no-export { export api; }
    ",
});

struct NoExport;

export!(NoExport);

impl Guest for NoExport {
    fn run() -> String {
        "nobody calls this".into()
    }
}
