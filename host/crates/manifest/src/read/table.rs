//! `table!`: a struct, its reader and its JSON Schema from one list of keys.

/// Declares a table of the manifest.
///
/// ```text
/// table! {
///     /// Becomes the description in the schema.
///     #[check(rules)]
///     pub struct Name: Default {
///         field: Type as "key" [MIN..=MAX] = default,
///     }
/// }
/// ```
///
/// Everything after the type is optional: the key is the field's name unless `as` gives another,
/// and it is required unless it has a default or its type says what its absence means (an `Option`,
/// a list, a map, a table of which no key is required). `: Default` implements `Default`. `rules`
/// is a `fn(&Name, &Node, &mut Reader)` that reports what must hold between keys.
macro_rules! table {
    (
        $(#[doc = $doc:literal])*
        $(#[check($check:path)])?
        pub struct $name:ident: Default { $($body:tt)* }
    ) => {
        $crate::read::table! {
            $(#[doc = $doc])* $(#[check($check)])? pub struct $name { $($body)* }
        }
        $crate::read::table! { @default $name { $($body)* } }
    };

    (
        $(#[doc = $doc:literal])*
        $(#[check($check:path)])?
        $vis:vis struct $name:ident { $(
            $(#[doc = $about:literal])*
            $field:ident: $type:ty $(as $key:literal)? $([$bounds:expr])? $(= $default:expr)?,
        )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name {
            $($(#[doc = $about])* pub $field: $type,)*
        }

        impl $crate::read::Value for $name {
            fn read(
                node: &$crate::read::Node<'_>,
                reader: &mut $crate::read::Reader<'_>,
            ) -> Option<Self> {
                let errors_before = reader.diagnostics.len();
                let mut fields = $crate::read::Fields::open(node, reader)?;
                $(
                    let key = $crate::read::table!(@key $field $($key)?);
                    let absent = $crate::read::table!(@absent $type $(, $default)?);
                    let $field: Option<$type> = fields.read(key, absent, reader);
                    $(fields.check(key, $field.as_ref(), &($bounds), reader);)?
                )*
                fields.finish(reader);
                let table = Self { $($field: $field?,)* };
                // A rule about values that are wrong anyway would only confuse.
                if reader.diagnostics.len() == errors_before {
                    $($check(&table, node, reader);)?
                }
                Some(table)
            }

            fn absent() -> Option<Self> {
                Some(Self { $($field: $crate::read::table!(@absent $type $(, $default)?)?,)* })
            }

            fn schema() -> serde_json::Value {
                let mut object = $crate::read::ObjectSchema::new(&[$($doc),*]);
                $(
                    let absent = $crate::read::table!(@absent $type $(, $default)?);
                    let key = $crate::read::table!(@key $field $($key)?);
                    let property = object.property::<$type>(key, &[$($about),*], absent);
                    $($crate::read::bound::<$type>(property, &($bounds));)?
                    let _ = property;
                )*
                object.finish()
            }
        }
    };

    (@default $name:ident { $(
        $(#[doc = $about:literal])*
        $field:ident: $type:ty $(as $key:literal)? $([$bounds:expr])? $(= $default:expr)?,
    )* }) => {
        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::read::table!(@value $type $(, $default)?),)* }
            }
        }
    };

    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@absent $type:ty) => { <$type as $crate::read::Value>::absent() };
    (@absent $type:ty, $default:expr) => { Some::<$type>($default) };
    (@value $type:ty) => { <$type as Default>::default() };
    (@value $type:ty, $default:expr) => { $default };
}

pub(crate) use table;
