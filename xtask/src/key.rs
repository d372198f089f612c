//! The key of a cache: a hash of everything that goes into what is kept there.

use sha2::{Digest, Sha256};

/// Named inputs, hashed in the order in which they are added.
#[derive(Clone, Debug)]
pub(crate) struct Key(Sha256);

impl Key {
    /// A key of nothing but the recipe, which changes when the work itself does in a way that its inputs do not show.
    pub(crate) fn new(recipe: &str) -> Self {
        let mut key = Self(Sha256::new());
        key.add("recipe", recipe.as_bytes());
        key
    }

    /// Adds one input. Name and content are delimited by their lengths, so that no two lists of inputs look alike.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update(part.len().to_string().as_bytes());
            self.0.update(b":");
            self.0.update(part);
        }
    }

    /// The key as 32 hexadecimal digits.
    pub(crate) fn text(self) -> String {
        let mut text = hex::encode(self.0.finalize());
        text.truncate(32);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    fn key(inputs: &[(&str, &str)]) -> String {
        let mut key = Key::new("1");
        for (name, content) in inputs {
            key.add(name, content.as_bytes());
        }
        key.text()
    }

    #[test]
    fn same_inputs_give_the_same_key() {
        assert_eq!(
            key(&[("a", "1"), ("b", "2")]),
            key(&[("a", "1"), ("b", "2")])
        );
    }

    #[test]
    fn each_input_changes_the_key() {
        let base = key(&[("version", "6.12.1"), ("patch", "x")]);
        assert_ne!(base, key(&[("version", "6.12.2"), ("patch", "x")]));
        assert_ne!(base, key(&[("version", "6.12.1"), ("patch", "y")]));
        assert_ne!(base, key(&[("version", "6.12.1")]));
    }

    #[test]
    fn moved_boundary_between_inputs_changes_the_key() {
        assert_ne!(key(&[("a", "bc")]), key(&[("ab", "c")]));
        assert_ne!(key(&[("a", "b"), ("c", "d")]), key(&[("a", "b1:c1:d")]));
    }
}
