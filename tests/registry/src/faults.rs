//! What goes wrong.

/// One way to answer wrongly.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Another status, with headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// The body is this, whatever its digest should be.
    Instead(Vec<u8>),
    /// A body without length that goes on until it has so many bytes.
    Endless(usize),
    /// Redirects to an address.
    Redirect(String),
    /// No answer at all, for good.
    Silence,
    /// The headers, then nothing for good.
    Stall,
    /// A byte now and then, for good.
    Drip,
    /// All of it, whatever part was asked for.
    NoRange,
}

/// A fault for the requests whose path holds a text, for so many of them.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) path: String,
    pub(crate) left: usize,
    pub(crate) fault: Fault,
}

/// The fault of a request, which is then spent.
pub(crate) fn take(rules: &mut [Rule], path: &str) -> Option<Fault> {
    let rule = rules
        .iter_mut()
        .find(|rule| rule.left > 0 && path.contains(&rule.path))?;
    rule.left -= 1;
    Some(rule.fault.clone())
}
