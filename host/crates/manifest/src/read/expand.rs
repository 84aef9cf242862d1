//! `${VAR}` and `${VAR:-default}` in string values; `$${` stands for `${`.

use thiserror::Error;

/// Why a string cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ExpandError {
    #[error("`${{` without a closing `}}`; write `$${{` for the two characters themselves")]
    Unclosed,
    #[error(
        "`{0}` is not the name of an environment variable; write `$${{` for the two characters themselves"
    )]
    Name(String),
    #[error("the environment variable `{0}` is not set; set it or write `${{{0}:-default}}`")]
    Unset(String),
}

/// Expands every variable of a text. As in a shell, `:-` also replaces an empty value.
pub(crate) fn expand(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ExpandError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(escaped) = before.strip_suffix('$') {
            expanded.push_str(escaped);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        let (variable, tail) = after.split_once('}').ok_or(ExpandError::Unclosed)?;
        expanded.push_str(before);
        expanded.push_str(&lookup(variable, env)?);
        rest = tail;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn lookup(variable: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let (name, default) = match variable.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (variable, None),
    };
    if !is_name(name) {
        return Err(ExpandError::Name(name.to_owned()));
    }
    match (env(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(ExpandError::Unset(name.to_owned())),
    }
}

fn is_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("redis".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_defaults_and_escapes() {
        let cases = [
            ("redis://${HOST}:6379", Ok("redis://redis:6379")),
            ("${NONE:-a}${EMPTY:-b}${EMPTY}", Ok("ab")),
            ("$${HOST} $.path $5 $", Ok("${HOST} $.path $5 $")),
            ("${NONE}", Err(ExpandError::Unset("NONE".to_owned()))),
            ("${a b}", Err(ExpandError::Name("a b".to_owned()))),
            ("${HOST", Err(ExpandError::Unclosed)),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text, &env), expected.map(str::to_owned), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_escaped_text_expands_to_itself(text in "[a-z${}:-]{0,30}") {
            prop_assume!(!text.contains("$$"));
            prop_assert_eq!(expand(&text.replace("${", "$${"), &env), Ok(text));
        }

        #[test]
        fn a_value_is_not_expanded_again(value in ".{0,20}") {
            prop_assert_eq!(expand("${X}", &|_| Some(value.clone())), Ok(value.clone()));
        }
    }
}
