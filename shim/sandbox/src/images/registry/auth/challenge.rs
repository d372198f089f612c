//! `WWW-Authenticate`: what a registry wants to know (RFC 9110, section 11.6.1).

/// How a registry wants to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Challenge {
    /// With name and password.
    Basic,
    /// With a token from the realm.
    Bearer {
        /// Where tokens come from.
        realm: String,
        /// For whom.
        service: Option<String>,
        /// For what.
        scope: Option<String>,
    },
}

/// The best of the challenges of one header: a token before a password.
pub(in super::super) fn parse(header: &str) -> Option<Challenge> {
    let mut basic = None;
    let mut rest = header.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        let end = rest.find([' ', ',']).unwrap_or(rest.len());
        let (scheme, after) = rest.split_at_checked(end)?;
        let (parameters, after) = parameters(after)?;
        let named = |key: &str| {
            let found = parameters.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = named("realm")
        {
            let (service, scope) = (named("service"), named("scope"));
            return Some(Challenge::Bearer {
                realm,
                service,
                scope,
            });
        }
        if scheme.eq_ignore_ascii_case("basic") {
            basic = Some(Challenge::Basic);
        }
        rest = after.trim_start_matches([' ', ',']);
    }
    basic
}

type Parameters = Vec<(String, String)>;

/// `name=value` pairs up to the next scheme; the rest of the header comes back.
fn parameters(mut rest: &str) -> Option<(Parameters, &str)> {
    let mut found = Vec::new();
    loop {
        let start = rest.trim_start_matches([' ', ',']);
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = start.find(|c| !token(c)).unwrap_or(start.len());
        let (name, after) = start.split_at_checked(end)?;
        let Some(after) = after.trim_start().strip_prefix('=') else {
            return Some((found, start));
        };
        if name.is_empty() {
            return None;
        }
        let (value, after) = value(after.trim_start())?;
        found.push((name.to_ascii_lowercase(), value));
        rest = after;
    }
}

/// A quoted string or a token.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', ',']).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end)?;
        return Some((value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}
