//! Greets: a library that is a component. `greeted` imports it; composed they are one function.

wit_bindgen::generate!({
    inline: "
        package example:greet;
        interface greet { greet: func(name: string) -> string; }
        world greeter { export greet; }
    ",
});

struct Greeter;

export!(Greeter);

impl exports::example::greet::greet::Guest for Greeter {
    fn greet(name: String) -> String {
        format!("hello, {name}, from another component\n")
    }
}
