//! The macro that gives the extractors access to their contents.

/// Implements `Deref` and `DerefMut` to the field of a tuple struct with one type parameter.
macro_rules! deref_to_contents {
    ($name:ident) => {
        impl<T> ::std::ops::Deref for $name<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.0
            }
        }

        impl<T> ::std::ops::DerefMut for $name<T> {
            fn deref_mut(&mut self) -> &mut T {
                &mut self.0
            }
        }
    };
}

pub(super) use deref_to_contents;
