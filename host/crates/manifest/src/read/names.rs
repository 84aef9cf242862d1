//! Names and targets of `wfh-event`; those that point at something note a reference.

use wfh_event::{AppName, FunctionName, ParseTargetError, QueueName, Target, TriggerName};

use super::{Misfit, Node, Reader, Reference, Text};

macro_rules! parsed {
    ($type:ty, $what:literal, $expected:literal $(, |$value:ident| $target:expr)?) => {
        impl Text for $type {
            const WHAT: &'static str = $what;
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Result<Self, Misfit> {
                text.parse().map_err(Misfit::because)
            }

            fn print(&self) -> String {
                self.to_string()
            }

            $(fn read_at(&self, node: &Node<'_>, reader: &mut Reader<'_>) {
                let $value = self.clone();
                let target = $target;
                let (key, span) = (node.key.clone(), node.span.clone());
                reader.references.push(Reference { target, key, span });
            })?
        }
    };
}

parsed!(AppName, "a name", "a name such as \"shop\"");
parsed!(TriggerName, "a name", "a name such as \"checkout-api\"");
parsed!(QueueName, "a queue's name", "a name such as \"emails\"", |name| Target::Queue(name));
parsed!(
    Target,
    "a target",
    "a target such as \"function:NAME\", \"queue:NAME\", \"topic:NAME\" or \"stream:NAME\"",
    |target| target
);

/// As a value, a function is written as the target it is: `function:NAME`.
impl Text for FunctionName {
    const WHAT: &'static str = "a function";
    const EXPECTED: &'static str = "a target of the form \"function:NAME\"";

    fn parse(text: &str) -> Result<Self, Misfit> {
        match text.parse() {
            Ok(Target::Function(name)) => Ok(name),
            Err(ParseTargetError::Name(error)) => Err(Misfit::because(error)),
            Ok(_) | Err(_) => Err(Misfit {
                reason: None,
                suggestion: text.parse::<Self>().is_ok().then(|| format!("function:{text}")),
            }),
        }
    }

    fn print(&self) -> String {
        format!("function:{self}")
    }

    fn read_at(&self, node: &Node<'_>, reader: &mut Reader<'_>) {
        let (key, span) = (node.key.clone(), node.span.clone());
        reader.references.push(Reference { target: Target::Function(self.clone()), key, span });
    }
}
